/* SPDX-License-Identifier: MIT */
/* Layers from structs: the line that says the same is written and read. */
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "model/graph.h"

/* Where a line is written; NULL: it is measured. */
struct writing {
    char *at;
    size_t bytes;
};

static void put(struct writing *line, const char *text, size_t bytes) {
    if (line->at) {
        memcpy(line->at + line->bytes, text, bytes);
    }
    line->bytes += bytes;
}

static void put_name(struct writing *line, const char *name) {
    line->bytes += stoa_name_write(name, line->at ? line->at + line->bytes : NULL);
}

static void write_line(const stoa_layer_spec *spec, struct writing *line) {
    put(line, spec->op, strlen(spec->op));
    for (const stoa_layer_option *o = spec->options; o && o->name; o++) {
        put(line, " ", 1);
        put(line, o->name, strlen(o->name));
        put(line, "=", 1);
        put(line, o->value, strlen(o->value));
    }
    for (const char *const *input = spec->inputs; input && *input; input++) {
        put(line, input == spec->inputs ? " from=" : ",", input == spec->inputs ? 6 : 1);
        put_name(line, *input);
    }
    put(line, "", 1);
}

/* What stands in a line by itself: it must not end where it does not end. */
static bool is_word(const char *text) {
    return text && text[0] != '\0' && text[strcspn(text, " \t\r\n\"=")] == '\0';
}

static stoa_status check_words(stoa_model *model, const stoa_layer_spec *spec) {
    if (!is_word(spec->op)) {
        return stoa_error_set(&model->error, STOA_ERR_ARGUMENT,
                              "layer '%.64s': found operator '%.60s', expected one word", spec->name,
                              spec->op ? spec->op : "");
    }
    for (const stoa_layer_option *o = spec->options; o && o->name; o++) {
        if (!is_word(o->name) || !is_word(o->value) || strcmp(o->name, "from") == 0) {
            return stoa_error_set(&model->error, STOA_ERR_ARGUMENT,
                                  "layer '%.64s': found option '%.60s' = '%.60s', expected a word each, and "
                                  "the inputs in `inputs`",
                                  spec->name, o->name, o->value ? o->value : "");
        }
    }
    return STOA_OK;
}

void stoa_model_add_layer(stoa_model *model, const stoa_layer_spec *spec) {
    if (!stoa_model_may_change(model) || check_words(model, spec) != STOA_OK) {
        return;
    }
    struct writing line = {NULL, 0};
    write_line(spec, &line);
    line.at = malloc(line.bytes);
    if (!line.at) {
        (void)stoa_error_set(&model->error, STOA_ERR_MEMORY, "layer '%.64s': out of memory", spec->name);
        return;
    }
    line.bytes = 0;
    write_line(spec, &line);
    stoa_model_add(model, spec->name, line.at);
    free(line.at);
}
