// SPDX-License-Identifier: BSD-2-Clause
/*
 * ethtool.c - the SIOCETHTOOL side of ethtool.h
 *
 * A feature has no fixed number: the kernel hands out a list of names, and a
 * feature's place in it is its bit in the words of ETHTOOL_GFEATURES. Every call
 * reads the list anew, for these are questions of set-up, not of forwarding.
 *
 * See also: agent/guest.c (sets features inside a guest's namespace).
 */
#include "ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FEATURE_WORD(bit) ((bit) / 32)
#define FEATURE_MASK(bit) (1u << (bit) % 32)

static int ask(const char *ifname, void *request)
{
	struct ifreq ifr = { .ifr_data = request };
	int fd, err;

	if (strlen(ifname) >= sizeof(ifr.ifr_name))
		return -ENODEV;
	strcpy(ifr.ifr_name, ifname);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
	close(fd);
	return err;
}

int ethtool_driver(const char *ifname, char *buf, size_t len)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	int err = ask(ifname, &info);

	if (err)
		return err;
	if (strnlen(info.driver, sizeof(info.driver)) >= len)
		return -ENOBUFS;
	strcpy(buf, info.driver);
	return 0;
}

static int n_features(const char *ifname, uint32_t *ret)
{
	union {
		struct ethtool_sset_info info;
		char room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} set = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES } };
	int err = ask(ifname, &set);

	if (err)
		return err;
	if (!set.info.sset_mask)
		return -EOPNOTSUPP;
	*ret = set.info.data[0];
	return 0;
}

/* Finds the bit of @feature and, for sizing requests, how many words hold all bits. */
static int feature_bit(const char *ifname, const char *feature, uint32_t *ret_bit,
		       uint32_t *ret_words)
{
	struct ethtool_gstrings *names;
	uint32_t n, bit;
	int err;

	err = n_features(ifname, &n);
	if (err)
		return err;
	names = calloc(1, sizeof(*names) + (size_t)n * ETH_GSTRING_LEN);
	if (!names)
		return -ENOMEM;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = n;
	err = ask(ifname, names);
	if (!err) {
		for (bit = 0; bit < n; bit++)
			if (!strncmp((char *)names->data + bit * ETH_GSTRING_LEN, feature,
				     ETH_GSTRING_LEN))
				break;
		*ret_bit = bit;
		*ret_words = FEATURE_WORD(n + 31);
		err = bit < n ? 0 : -ENOENT;
	}
	free(names);
	return err;
}

enum aspect { ACTIVE, WANTED, AVAILABLE };

static int feature_read(const char *ifname, uint32_t bit, uint32_t words, enum aspect aspect,
			bool *ret)
{
	const struct ethtool_get_features_block *block;
	struct ethtool_gfeatures *get;
	int err;

	get = calloc(1, sizeof(*get) + words * sizeof(get->features[0]));
	if (!get)
		return -ENOMEM;
	get->cmd = ETHTOOL_GFEATURES;
	get->size = words;
	err = ask(ifname, get);
	block = &get->features[FEATURE_WORD(bit)];
	if (!err)
		*ret = (aspect == ACTIVE ? block->active : aspect == WANTED ? block->requested :
			block->available) & FEATURE_MASK(bit);
	free(get);
	return err;
}

static int feature_write(const char *ifname, uint32_t bit, uint32_t words, bool on)
{
	struct ethtool_sfeatures *set;
	int err;

	set = calloc(1, sizeof(*set) + words * sizeof(set->features[0]));
	if (!set)
		return -ENOMEM;
	set->cmd = ETHTOOL_SFEATURES;
	set->size = words;
	set->features[FEATURE_WORD(bit)].valid = FEATURE_MASK(bit);
	set->features[FEATURE_WORD(bit)].requested = on ? FEATURE_MASK(bit) : 0;
	err = ask(ifname, set);
	free(set);
	return err;
}

static int feature_ask(const char *ifname, const char *feature, enum aspect aspect, bool *ret)
{
	uint32_t bit, words;
	int err = feature_bit(ifname, feature, &bit, &words);

	return err ? err : feature_read(ifname, bit, words, aspect, ret);
}

int ethtool_feature_get(const char *ifname, const char *feature, bool *ret)
{
	return feature_ask(ifname, feature, ACTIVE, ret);
}

int ethtool_feature_wanted(const char *ifname, const char *feature, bool *ret)
{
	return feature_ask(ifname, feature, WANTED, ret);
}

int ethtool_feature_available(const char *ifname, const char *feature, bool *ret)
{
	return feature_ask(ifname, feature, AVAILABLE, ret);
}

int ethtool_feature_set(const char *ifname, const char *feature, bool on)
{
	uint32_t bit, words;
	bool active;
	int err;

	err = feature_bit(ifname, feature, &bit, &words);
	if (!err)
		err = feature_read(ifname, bit, words, ACTIVE, &active);
	if (err || active == on)
		return err;
	err = feature_write(ifname, bit, words, on);
	if (!err)
		err = feature_read(ifname, bit, words, ACTIVE, &active);
	if (err)
		return err;
	return active == on ? 0 : -EOPNOTSUPP;
}

int ethtool_channels(const char *ifname, struct ethtool_queues *ret)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	int err = ask(ifname, &c);

	if (err)
		return err;
	*ret = (struct ethtool_queues){
		.rx = c.rx_count + c.combined_count,
		.tx = c.tx_count + c.combined_count,
		.rx_max = c.max_rx + c.max_combined,
		.tx_max = c.max_tx + c.max_combined,
	};
	return 0;
}
