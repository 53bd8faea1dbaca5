/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_drivers.c - drivers and since which kernel they do XDP natively
 *
 * For kernels before 6.3, which do not tell. Sources: the drivers' histories in
 * the kernel's git; "frags" is multi-buffer support, for MTUs beyond one page.
 */
#include <ctl/cli/doctor.h>

#include <string.h>

static const struct doctor_driver drivers[] = {
	{ "veth", "4.19", "5.18" },
	{ "tun", "4.14", NULL },
	{ "virtio_net", "4.10", "6.3" },
	{ "bonding", "5.15", NULL },
	{ "ena", "5.6", NULL },
	{ "gve", "6.4", NULL },
	{ "hv_netvsc", "5.6", NULL },
	{ "vmxnet3", "6.6", NULL },
	{ "mlx4_core", "4.8", NULL },
	{ "mlx4_en", "4.8", NULL },
	{ "mlx5_core", "4.9", "5.18" },
	{ "i40e", "4.13", "6.4" },
	{ "ice", "5.5", "6.3" },
	{ "ixgbe", "4.12", NULL },
	{ "ixgbevf", "4.17", NULL },
	{ "igb", "5.10", NULL },
	{ "igc", "5.13", NULL },
	{ "bnxt_en", "4.11", "5.19" },
	{ "nfp", "4.10", NULL },
	{ "qede", "4.10", NULL },
	{ "sfc", "5.5", NULL },
	{ "mvneta", "5.5", "5.18" },
	{ "mvpp2", "5.9", NULL },
	{ "stmmac", "5.13", NULL },
	{ "st_gmac", "5.13", NULL },
	{ "dpaa2-eth", "5.0", NULL },
	{ "fsl_dpaa2_eth", "5.0", NULL },
	{ "nicvf", "4.12", NULL },
	{ "netsec", "5.3", NULL },
	{ "e1000", NULL, NULL },
	{ "e1000e", NULL, NULL },
	{ "r8169", NULL, NULL },
	{ "tg3", NULL, NULL },
	{ "bridge", NULL, NULL },
	{ "dummy", NULL, NULL },
	{ "802.1Q VLAN Support", NULL, NULL },
};

const struct doctor_driver *doctor_driver_find(const char *name)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (!strcmp(drivers[i].name, name))
			return &drivers[i];
	return NULL;
}
