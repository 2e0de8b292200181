/* SPDX-License-Identifier: MIT */
/* First weights from another model. Public headers only. */
#include "cli/init.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/report.h"

/* What has been told, and the lines for it. */
struct matches {
    size_t taken, tensors;
    char *lines; /* from malloc; NULL: none yet */
};

static void add_line(struct matches *matches, const char *name, const char *what, const char *shapes) {
    char *line = cli_text("%s: %s%s", name, what, shapes);
    cli_clean(line, false); /* a name of a file may hold anything */
    char *longer = cli_text("%s        %s\n", matches->lines ? matches->lines : "", line);
    free(line);
    free(matches->lines);
    matches->lines = longer;
}

static void note_match(void *user, const stoa_tensor_match *match) {
    struct matches *matches = user;
    matches->tensors += match->match != STOA_MATCH_EXTRA;
    char *shapes = match->match == STOA_MATCH_SHAPE
                       ? cli_text("found shape %s, expected %s", match->found, match->shape)
                       : cli_text("%s", match->match == STOA_MATCH_EXTRA ? match->found : match->shape);
    switch (match->match) {
    case STOA_MATCH_TAKEN:
        matches->taken++;
        break;
    case STOA_MATCH_SHAPE:
        add_line(matches, match->name, "begins anew: ", shapes);
        break;
    case STOA_MATCH_MISSING:
        add_line(matches, match->name, "begins anew: not in the file, shape ", shapes);
        break;
    case STOA_MATCH_EXTRA:
        add_line(matches, match->name, "not used: not in the network, shape ", shapes);
        break;
    }
    free(shapes);
}

int cli_init_model(const char *name, const struct cli_subject *subject, char **told) {
    char *path = cli_model_path(name);
    if (!path) {
        return CLI_WRONG;
    }
    struct matches matches = {.taken = 0};
    stoa_status status = stoa_model_load_matching(subject->model, path, note_match, &matches);
    if (status == STOA_OK) {
        *told = cli_text("init    %s: took %zu of %zu tensors\n%s", path, matches.taken, matches.tensors,
                         matches.lines ? matches.lines : "");
        /* Facts are UTF-8; a file name need not be. */
        json_t *text = cli_json_text(name);
        status = stoa_model_set_fact(subject->model, "train.init", json_string_value(text));
        json_decref(text);
    }
    free(matches.lines);
    free(path);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}
