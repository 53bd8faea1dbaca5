/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_ops.c - finds the operation a request asks for, and shapes replies
 */
#include <agent/admin_ops.h>

#include <errno.h>
#include <string.h>

static const struct admin_op *const tables[] = {
	admin_agent_ops,
	admin_port_ops,
	admin_control_ops,
	admin_flow_ops,
	admin_board_ops,
	admin_trace_ops,
};

static const struct admin_op *find_op(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct admin_op *op = tables[i]; op->name; op++)
			if (!strcmp(op->name, name))
				return op;
	return NULL;
}

static int check_fields(const cJSON *request, struct error *e)
{
	const cJSON *field;

	if (!cJSON_IsObject(request))
		return error_set(e, -EINVAL, "a request is an object {\"op\": ..., \"args\": {...}}");
	cJSON_ArrayForEach(field, request)
		if (strcmp(field->string, "op") && strcmp(field->string, "args"))
			return error_set(e, -EINVAL, "%.64s: a request has op and args, no more",
					 field->string);
	return 0;
}

int admin_find(const cJSON *request, const struct admin_op **ret_op, const cJSON **ret_args,
	       struct error *e)
{
	const struct admin_op *op;
	const cJSON *name, *args;
	int err;

	err = check_fields(request, e);
	if (err)
		return err;
	name = cJSON_GetObjectItemCaseSensitive(request, "op");
	if (!cJSON_IsString(name))
		return error_set(e, -EINVAL, "op: must be the name of an operation");
	op = find_op(name->valuestring);
	if (!op)
		return error_set(e, -EOPNOTSUPP, "op: this agent has no operation %.64s",
				 name->valuestring);
	args = cJSON_GetObjectItemCaseSensitive(request, "args");
	err = admin_args_check(op->args, args, e);
	if (err)
		return err;
	*ret_op = op;
	*ret_args = args;
	return 0;
}

cJSON *admin_reply_ok(cJSON *result)
{
	cJSON *reply = cJSON_CreateObject();

	cJSON_AddTrueToObject(reply, "ok");
	cJSON_AddItemToObject(reply, "result", result);
	return reply;
}

cJSON *admin_reply_error(const struct error *e)
{
	cJSON *reply = cJSON_CreateObject();

	cJSON_AddFalseToObject(reply, "ok");
	cJSON_AddStringToObject(reply, "error", e->text);
	cJSON_AddNumberToObject(reply, "errno", -e->err);
	return reply;
}
