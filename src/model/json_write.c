/* SPDX-License-Identifier: MIT */
/* Checked writing of JSON. */
#include "model/json_write.h"

#include <stdlib.h>

bool stoa_json_put(json_t *object, const char *name, json_t *value) {
    return json_object_set_new(object, name, value) == 0;
}

bool stoa_json_put_text(json_t *object, const char *name, const char *text) {
    return stoa_json_put(object, name, json_string(text));
}

bool stoa_json_append(json_t *array, json_t *value) {
    return json_array_append_new(array, value) == 0;
}

/* Into memory of a known size: json_dumps() lets its own grow, and goes on where it does not. */
char *stoa_json_print(const json_t *value) {
    size_t bytes = json_dumpb(value, NULL, 0, JSON_COMPACT);
    char *text = bytes > 0 ? malloc(bytes + 1) : NULL;
    if (text && json_dumpb(value, text, bytes, JSON_COMPACT) != bytes) {
        free(text);
        return NULL;
    }
    if (text) {
        text[bytes] = '\0';
    }
    return text;
}
