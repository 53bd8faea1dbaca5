/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.h - a front end here, the leader of its hosts in another process
 *
 *	agent ═ ofe ─ struct ofe_upstream │ channel ═ mTLS ═ channel │ vmc_attach() ─ vmc
 *	             what ofe.h asks for  │   many hosts, one stream  │ what vmc.h gives
 *
 * Both ends are controllers by certificate. Frames as in the host protocol (4 bytes of
 * length), but bodies are a letter, the number of the session and text, because what
 * is passed on need not be understood:
 *
 *	front to leader	 a N host digest	attach		leader to front	 s N {message}	to the agent
 *			 m N {message}		from the agent			 c N why	close it
 *			 t N bytes		taken so far			 l N		lost: look again
 *			 d N			detach
 *			 w REVISION		is it programmed?		 p REVISION	yes; or
 *									 p REVISION moved  ask those who lead now
 *			 b REVISION		who is behind?			 b REVISION host ...
 *			 o, x, q N {permit}	permits.h			 k, r, u N {permit}	its answers
 *
 * A letter that is not known is ignored, so that controllers of two versions get on.
 *
 * The leader sees how much an agent has not taken yet (`t`), so one slow agent holds up
 * itself and not the stream. A stream that ends loses its sessions; the agents'
 * own sessions stay, and their front end looks for the leader again.
 *
 * On the loop's thread. See also: channel_frame.h.
 */
#pragma once

#include <ctl/controller/ofe.h>

/* The leaders' end: takes streams of other controllers. */
struct channel_server;
int channel_server_new(struct event_base *base, const char *listen, const struct tls_files *files,
		       struct vmc *vmc, struct channel_server **ret, struct error *e);
void channel_server_free(struct channel_server *c);	/* NULL is allowed; before its vmc */

/* The front ends' end: a stream to each leader that is asked for. */
struct channels;
/* What a leader was asked for and cannot answer any more: @tracks is handed over. */
typedef void (*channel_orphan_fn)(void *arg, uint64_t revision, struct tracks *tracks);
struct channels_options {
	struct event_base *base;
	const struct tls_files *files;
	channel_orphan_fn orphan;
	void *arg;
	struct vmc *vmc;		/* hears what is said about permits; NULL: nobody does */
};
int channels_new(const struct channels_options *o, struct channels **ret, struct error *e);
void channels_free(struct channels *c);			/* after its front end */
/* To @address, made at the first call; NULL: no memory. */
const struct ofe_upstream *channels_to(struct channels *c, const char *address);

/*
 * For `apply --wait` with several leaders: @t is held until the leader at @address has
 * programmed @revision; an orphan if it is gone, or hosts are another's since. It is asked
 * once at a time. False: it cannot be asked now.
 */
bool channels_wait(struct channels *c, const char *address, struct programming *p,
		   struct track *t, uint64_t revision, uint64_t now_ns);
/* To the leader at @address, about permits (permits.h). Lost if it cannot be reached now. */
void channels_say(struct channels *c, const char *address, char kind, uint64_t n, const char *text);
/* Asks the leaders that have not said so yet who is behind; false: there are none. */
bool channels_ask(struct channels *c, uint64_t revision);
/* Can the leader at @address be asked? */
bool channels_up(struct channels *c, const char *address);
/* Calls @add for each host that they named, or for a leader that has not answered yet. */
void channels_behind(struct channels *c, uint64_t revision, void (*add)(void *to, const char *who),
		     void *to);
