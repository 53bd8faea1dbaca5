/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_ops_control.c - vport.attach, vport.detach; what status says of the controller
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/admin_json.h>
#include <agent/admin_ops.h>
#include <agent/agent.h>
#include <agent/session.h>
#include <agent/state.h>
#include <agent/usage_poll.h>
#include <lib/clock.h>

#define ANSWER_POLL_MS 50u
#define ANSWER_POLLS 60u		/* three seconds, then the answer comes without its being known */

/* vport.attach: the binding is made at once, the answer waits for what the controller says. */

static const struct admin_arg attach_args[] = {
	{ .name = "instance", .kind = ARG_TEXT, .needed = true },
	{ .name = "device", .kind = ARG_TEXT, .needed = true },
	{ .name = "netns", .kind = ARG_TEXT },
	{ .name = "guest_device", .kind = ARG_TEXT },
	{},
};

struct attaching {
	char *instance;
	unsigned int polls;
};

static int need_controller(const struct agent *a, struct error *e)
{
	if (a->state)
		return 0;
	return error_set(e, -EOPNOTSUPP, "this agent runs from a file: name the device there, and "
			 "reload");
}

static bool is_connected(const struct agent *a)
{
	struct session_view view;

	session_show(a->session, &view);
	return view.state == SESSION_UP;
}

static void say_binding(cJSON *o, const struct binding *b)
{
	static const char *const states[] = {
		[BIND_ASKED] = "asked", [BIND_BOUND] = "bound", [BIND_REFUSED] = "refused",
	};

	cJSON_AddStringToObject(o, "instance", b->instance);
	cJSON_AddStringToObject(o, "device", binding_text(b, "device"));
	cJSON_AddStringToObject(o, "state", states[b->state]);
}

/* -EAGAIN: ask again. */
static int finish_attach(struct agent *a, void *state, cJSON *result, struct error *e)
{
	struct attaching *attaching = state;
	struct binding *b = bindings_find(state_bindings(a->state), attaching->instance);

	if (!b)
		return error_set(e, -ECANCELED, "%s was detached meanwhile", attaching->instance);
	if (b->state == BIND_REFUSED)
		return error_set(e, -EPERM, "the controller refuses: %s", b->problem);
	if (b->state == BIND_ASKED && is_connected(a) && attaching->polls++ < ANSWER_POLLS)
		return -EAGAIN;
	say_binding(result, b);
	return 0;
}

static void drop_attaching(void *state)
{
	struct attaching *attaching = state;

	free(attaching->instance);
	free(attaching);
}

static int op_attach(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
		     struct error *e)
{
	const char *instance = admin_arg_text(args, "instance");
	struct attaching *attaching;
	int err = need_controller(a, e);

	(void)o;
	if (!err)
		err = state_attach(a->state, instance, admin_arg_text(args, "device"),
				   admin_arg_text(args, "netns"),
				   admin_arg_text(args, "guest_device"), e);
	if (err)
		return err;
	attaching = calloc(1, sizeof(*attaching));
	if (!attaching || !(attaching->instance = strdup(instance))) {
		free(attaching);
		return error_set(e, -ENOMEM, "no memory");
	}
	*later = (struct admin_later){ ANSWER_POLL_MS, finish_attach, drop_attaching, attaching };
	return 0;
}

/* vport.detach */

static const struct admin_arg detach_args[] = {
	{ .name = "instance", .kind = ARG_TEXT, .needed = true },
	{},
};

static int op_detach(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
		     struct error *e)
{
	const char *instance = admin_arg_text(args, "instance");
	int err = need_controller(a, e);

	(void)later;
	if (!err)
		err = state_detach(a->state, instance, e);
	if (!err)
		cJSON_AddStringToObject(o, "instance", instance);
	return err;
}

/* Vports that wait for a device, as rows of vport.list. */

static void list_unbound(const struct object *vport, void *arg)
{
	const struct doc *network = doc_find(vport->doc, "network");
	cJSON *row = cJSON_CreateObject();

	cJSON_AddStringToObject(row, "name", object_name(vport));
	cJSON_AddStringToObject(row, "kind", "vport");
	cJSON_AddStringToObject(row, "network", network && network->text ? network->text : "");
	cJSON_AddStringToObject(row, "device", "");
	cJSON_AddStringToObject(row, "state", "unbound");
	cJSON_AddStringToObject(row, "problem", "no device is named for it: mirachctl vport attach "
				"--instance NAME --dev DEVICE, or the controller names one");
	cJSON_AddItemToArray(arg, row);
}

void json_unbound(cJSON *list, const struct agent *a)
{
	if (a->state)
		state_each_unbound(a->state, list_unbound, list);
}

/* status */

static void status_session(cJSON *o, const struct agent *a)
{
	struct session_view view;
	uint64_t now = clock_now_ns();

	session_show(a->session, &view);
	cJSON_AddStringToObject(o, "endpoint", view.endpoint);
	cJSON_AddStringToObject(o, "session", session_state_name(view.state));
	cJSON_AddNumberToObject(o, "since_s", (double)(now - view.since_ns) / NS_PER_S);
	if (view.state == SESSION_WAITING)
		cJSON_AddNumberToObject(o, "next_s", view.next_ns > now ?
					(double)(view.next_ns - now) / NS_PER_S : 0);
	cJSON_AddNumberToObject(o, "failures", view.failures);
	cJSON_AddNumberToObject(o, "updates", view.updates);
	cJSON_AddNumberToObject(o, "refused", view.refused);
	cJSON_AddStringToObject(o, "last_error", view.last_error);
}

static void status_state(cJSON *o, const struct agent *a)
{
	struct state_view view;
	cJSON *checkpoint;

	state_show(a->state, &view);
	cJSON_AddBoolToObject(o, "known", view.known);
	cJSON_AddNumberToObject(o, "revision", view.revision);
	cJSON_AddNumberToObject(o, "objects", view.objects);
	cJSON_AddStringToObject(o, "last_refusal", view.refused);
	checkpoint = cJSON_AddObjectToObject(o, "checkpoint");
	cJSON_AddStringToObject(checkpoint, "path", view.checkpoint);
	if (view.written_ns)
		cJSON_AddNumberToObject(checkpoint, "age_s",
					(double)(clock_now_ns() - view.written_ns) / NS_PER_S);
	cJSON_AddStringToObject(checkpoint, "problem", view.disk_problem);
}

static void status_usage(cJSON *o, const struct agent *a)
{
	struct usage_poll_view view;
	cJSON *usage = cJSON_AddObjectToObject(o, "usage");

	usage_poll_show(a->usage, &view);
	cJSON_AddNumberToObject(usage, "rounds", view.rounds);
	cJSON_AddNumberToObject(usage, "flows", view.flows);
	cJSON_AddNumberToObject(usage, "cost_s", (double)view.cost_ns / NS_PER_S);
	cJSON_AddNumberToObject(usage, "pairs", view.pairs);
	cJSON_AddNumberToObject(usage, "missed", view.missed);
	cJSON_AddNumberToObject(usage, "reported", view.reported);
}

void json_controller(cJSON *o, const struct agent *a)
{
	cJSON *controller;

	if (!a->state)
		return;
	controller = cJSON_AddObjectToObject(o, "controller");
	status_session(controller, a);
	status_state(controller, a);
	status_usage(controller, a);
}

const struct admin_op admin_control_ops[] = {
	{ "vport.attach", attach_args, op_attach },
	{ "vport.detach", detach_args, op_detach },
	{},
};
