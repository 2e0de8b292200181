/* SPDX-License-Identifier: MIT */
/* JSON through jansson, with memory that is there or ends the command. Public headers only. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/report.h"

/* Ten digits tell any two floats apart and keep 0.1 readable. */
enum { DIGITS = 10 };

static json_t *there(json_t *value) {
    if (!value) {
        cli_out_of_memory();
    }
    return value;
}

json_t *cli_json_number(double value) {
    return there(isfinite(value) ? json_real(value) : json_null());
}

json_t *cli_json_float(float value) {
    /* The shortest decimal that reads back as the same float: 0.001 rather than 0.0010000000475. */
    char text[32] = "";
    for (int digits = 6; digits <= 9 && isfinite(value); digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) >= value && strtof(text, NULL) <= value) {
            break;
        }
    }
    return cli_json_number(isfinite(value) ? strtod(text, NULL) : (double)value);
}

json_t *cli_json_count(size_t value) {
    return there(json_integer((json_int_t)value));
}

/* NULL for what is not UTF-8, which jansson tells from a lack of memory by nothing but errno. */
static json_t *utf8_text(const char *text) {
    errno = 0;
    json_t *value = json_string(text);
    if (!value && errno == ENOMEM) {
        cli_out_of_memory();
    }
    return value;
}

bool cli_json_is_text(const char *text) {
    json_t *value = utf8_text(text);
    json_decref(value);
    return value != NULL;
}

json_t *cli_json_text(const char *text) {
    json_t *value = utf8_text(text);
    if (value) {
        return value;
    }
    /* A file name in another encoding: keep what is ASCII. */
    char *ascii = cli_text("%s", text);
    for (char *c = ascii; *c; c++) {
        if ((unsigned char)*c >= 0x80) {
            *c = '?';
        }
    }
    value = there(json_string(ascii));
    free(ascii);
    return value;
}

json_t *cli_json_shape(const size_t *shape, size_t rank) {
    json_t *array = cli_json_array();
    for (size_t i = 0; i < rank; i++) {
        cli_json_append(array, cli_json_count(shape[i]));
    }
    return array;
}

json_t *cli_json_object(void) {
    return there(json_object());
}

json_t *cli_json_array(void) {
    return there(json_array());
}

void cli_json_set(json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0) {
        (void)there(NULL);
    }
}

void cli_json_append(json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0) {
        (void)there(NULL);
    }
}

static void *memory_there(size_t bytes) {
    return cli_allocate(bytes, 1);
}

void cli_json_begin_reading(void) {
    json_set_alloc_funcs(memory_there, free);
}

void cli_json_end_reading(void) {
    json_set_alloc_funcs(malloc, free);
}

json_t *cli_json_texts(const char *text, size_t most) {
    static const char space[] = " \t\r\n";
    json_t *list = cli_json_array();
    const char *at = text + strspn(text, space);
    bool good = *at++ == '[', more = good;
    at += more ? strspn(at, space) : 0;
    more = more && *at != ']';
    while (more) {
        json_error_t place;
        bool fits = *at == '"' && json_array_size(list) < most;
        cli_json_begin_reading();
        json_t *item = fits ? json_loads(at, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &place) : NULL;
        cli_json_end_reading();
        good = item != NULL;
        if (good) {
            cli_json_append(list, item);
            at += place.position;
            at += strspn(at, space);
        }
        more = good && *at == ',';
        at += more ? 1 + strspn(at + 1, space) : 0;
    }
    if (!good || *at != ']' || at[1 + strspn(at + 1, space)]) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* Into memory of a known size: json_dumps() lets its own grow, and goes on with a name left out where it
 * does not. */
static char *text_of(const json_t *value, size_t flags) {
    size_t bytes = json_dumpb(value, NULL, 0, flags);
    char *text = cli_allocate(bytes + 1, 1);
    if (bytes == 0 || json_dumpb(value, text, bytes, flags) != bytes) {
        cli_out_of_memory();
    }
    return text;
}

char *cli_json_line(const json_t *value) {
    return text_of(value, JSON_REAL_PRECISION(DIGITS));
}

char *cli_json_indented(const json_t *value) {
    return text_of(value, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
}

/* Print JSON with the controls as escapes that it allows in strings and terminals obey: DEL, and C1 in
 * UTF-8. */
static void put_json(const char *text) {
    for (const char *c = text; *c; c++) {
        bool control = (unsigned char)c[0] == 0xC2 && (unsigned char)c[1] < 0xA0;
        if (control || *c == 0x7F) {
            c += control;
            (void)printf("\\u%04x", (unsigned)(unsigned char)*c);
        } else {
            (void)putchar(*c);
        }
    }
    (void)putchar('\n');
}

void cli_json_print(json_t *value) {
    char *text = cli_json_indented(value);
    put_json(text);
    free(text);
    json_decref(value);
}
