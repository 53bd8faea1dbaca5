/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * yaml.h - JSON written as YAML
 */
#pragma once

#include <stdio.h>

#include <cjson/cJSON.h>

/* Block style; text that would read as something else is quoted. */
void yaml_print(const cJSON *json, FILE *out);
