/* SPDX-License-Identifier: MIT */
/* JSON that goes into model files, with every lack of memory noticed. jansson hides some: json_pack() leaves
 * out a member that it has no memory for, json_dumps() a name, and both report success. */
#ifndef STOA_MODEL_JSON_WRITE_H
#define STOA_MODEL_JSON_WRITE_H

#include <jansson.h>
#include <stdbool.h>

/* Add a member or an element. Takes over the value; a NULL one is a failure that came earlier. False without
 * memory, errno then being ENOMEM, and for text that is not UTF-8. */
bool stoa_json_put(json_t *object, const char *name, json_t *value);
bool stoa_json_put_text(json_t *object, const char *name, const char *text);
bool stoa_json_append(json_t *array, json_t *value);

/* The text without white space, from malloc; NULL without memory. */
char *stoa_json_print(const json_t *value);

#endif
