/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c - one question to the agent over its socket
 */
#include <ctl/cli/client.h>

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <lib/frame.h>

#define TIMEOUT_MS 30000

static int explain_denied(const char *path, struct error *e)
{
	struct group *group;
	struct stat st;

	if (stat(path, &st) || !(st.st_mode & S_IWGRP))
		return error_set(e, -EACCES, "no permission for %s; run as root, or set "
				 "agent.socket_group", path);
	group = getgrgid(st.st_gid);
	return error_set(e, -EACCES, "no permission for %s; run as root or as a member of group %s",
			 path, group ? group->gr_name : "that owns it");
}

static int explain_connect(const char *path, int err, struct error *e)
{
	switch (err) {
	case ENOENT:
	case ECONNREFUSED:
		return error_set(e, -err, "no agent listens on %s; start mirachd "
				 "(systemctl start mirachd, or mirachd --config FILE), or name "
				 "its socket with --socket", path);
	case EACCES:
	case EPERM:
		return explain_denied(path, e);
	default:
		return error_set(e, -err, "cannot reach the agent on %s: %s", path, strerror(err));
	}
}

/* Returns the socket or -errno. */
static int dial(const char *path, struct error *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(sun.sun_path))
		return error_set(e, -ENAMETOOLONG, "--socket: %s is longer than %zu bytes", path,
				 sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(e, -errno, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun))) {
		err = explain_connect(path, errno, e);
		close(fd);
		return err;
	}
	return fd;
}

/* Ours: {"ok": true, "result": {...}} or {"ok": false, "error": "...", "errno": n}. */
static enum client_result open_reply(cJSON *reply, cJSON **ret_result, struct error *e)
{
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(reply, "error");
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(reply, "errno");
	cJSON *result;

	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(reply, "ok"))) {
		result = cJSON_DetachItemFromObjectCaseSensitive(reply, "result");
		if (result) {
			*ret_result = result;
			return CLIENT_OK;
		}
	}
	if (!cJSON_IsString(text) || !cJSON_IsNumber(number)) {
		error_set(e, -EBADMSG, "the answer is not of this protocol; "
			  "is it the socket of a mirachd?");
		return CLIENT_UNREACHABLE;
	}
	error_set(e, number->valueint > 0 ? -number->valueint : -EIO, "%s", text->valuestring);
	return number->valueint == EACCES ? CLIENT_UNREACHABLE : CLIENT_REFUSED;
}

static enum client_result exchange(int fd, const cJSON *request, cJSON **ret_result,
				   struct error *e)
{
	enum client_result result;
	cJSON *reply;

	/* A refused peer finds the answer waiting even where writing fails. */
	if (frame_write(fd, request, e) && e->err != -EPIPE && e->err != -ECONNRESET)
		return CLIENT_UNREACHABLE;
	if (frame_read(fd, &reply, TIMEOUT_MS, e))
		return CLIENT_UNREACHABLE;
	result = open_reply(reply, ret_result, e);
	cJSON_Delete(reply);
	return result;
}

enum client_result client_call(const char *socket_path, const char *op, cJSON *args,
			       cJSON **ret_result, struct error *e)
{
	enum client_result result = CLIENT_UNREACHABLE;
	cJSON *request = cJSON_CreateObject();
	int fd;

	cJSON_AddStringToObject(request, "op", op);
	if (args)
		cJSON_AddItemToObject(request, "args", args);
	fd = dial(socket_path, e);
	if (fd >= 0) {
		result = exchange(fd, request, ret_result, e);
		close(fd);
	}
	cJSON_Delete(request);
	return result;
}
