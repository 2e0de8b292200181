/* SPDX-License-Identifier: MIT */
/* First weights from another model. Public headers only. */
#include "cli/init.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/data.h"
#include "cli/report.h"
#include "cli/whole_file.h"

/* What has been told. */
struct matches {
    size_t taken, tensors;
    json_t *rest;
};

static void note_match(void *user, const stoa_tensor_match *match) {
    struct matches *matches = user;
    bool missing = match->match == STOA_MATCH_MISSING, extra = match->match == STOA_MATCH_EXTRA;
    matches->tensors += !extra;
    if (match->match == STOA_MATCH_TAKEN) {
        matches->taken++;
        return;
    }
    json_t *tensor = cli_json_object();
    cli_json_set(tensor, "name", cli_json_text(match->name));
    cli_json_set(tensor, "found", missing ? json_null() : cli_json_text(match->found));
    cli_json_set(tensor, "expected", extra ? json_null() : cli_json_text(match->shape));
    cli_json_append(matches->rest, tensor);
}

/* Nothing has been mapped yet: what may fit is written, for people to look at. */
static int suggest(const char *path, const char *map, const struct cli_subject *subject) {
    void *text = NULL;
    size_t bytes = 0;
    stoa_status status = stoa_model_suggest_map(subject->model, path, &text, &bytes);
    if (status != STOA_OK) {
        return cli_fail_library(subject->context, status);
    }
    int code = cli_write_whole(map, text, bytes - 1);
    stoa_buffer_free(subject->context, text, bytes);
    return code != CLI_DONE
               ? code
               : cli_fail(CLI_FAILED,
                          "%s: written, a suggestion of which tensor is which: look at it, and give "
                          "the same command again",
                          map);
}

/* The mapping in `*text`, NULL without one. */
static int read_map(const char *path, const char *map, const struct cli_subject *subject, char **text) {
    *text = NULL;
    if (!map) {
        return CLI_DONE;
    }
    *text = cli_read_text(map);
    if (!*text && errno == ENOENT) {
        return suggest(path, map, subject);
    }
    return *text ? CLI_DONE : cli_fail(CLI_WRONG, "%s: %s", map, strerror(errno));
}

int cli_init_model(const char *name, const char *map, const struct cli_subject *subject, json_t **told) {
    char *path = cli_model_path(name), *text = NULL;
    int code = path ? read_map(path, map, subject, &text) : CLI_WRONG;
    if (code != CLI_DONE) {
        free(path);
        return code;
    }
    struct matches matches = {.rest = cli_json_array()};
    stoa_status status = text ? stoa_model_load_mapped(subject->model, path, text, note_match, &matches)
                              : stoa_model_load_matching(subject->model, path, note_match, &matches);
    free(text);
    if (status == STOA_OK) {
        *told = cli_json_object();
        cli_json_set(*told, "from", cli_json_text(path));
        cli_json_set(*told, "taken", cli_json_count(matches.taken));
        cli_json_set(*told, "tensors", cli_json_count(matches.tensors));
        cli_json_set(*told, "rest", json_incref(matches.rest));
        status = cli_set_text(subject->model, "train.init", name);
    }
    json_decref(matches.rest);
    free(path);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

void cli_init_print(const json_t *told) {
    const json_t *rest = json_object_get(told, "rest");
    cli_print("init    %s: took %lld of %lld tensors\n", text_of(told, "from"),
              (long long)json_integer_value(json_object_get(told, "taken")),
              (long long)json_integer_value(json_object_get(told, "tensors")));
    for (size_t i = 0; i < json_array_size(rest); i++) {
        const json_t *tensor = json_array_get(rest, i);
        const char *name = text_of(tensor, "name"), *found = text_of(tensor, "found"),
                   *expected = text_of(tensor, "expected");
        char *line = found && expected
                         ? cli_text("%s: begins anew: found shape %s, expected %s", name, found, expected)
                     : found ? cli_text("%s: not used: not in the network, shape %s", name, found)
                             : cli_text("%s: begins anew: not in the file, shape %s", name, expected);
        cli_clean(line, false); /* a name of a file may hold anything */
        cli_print("        %s\n", line);
        free(line);
    }
}
