/* SPDX-License-Identifier: MIT */
/* What a training begins with: see setup.h. Public headers only. */
#include "cli/setup.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/find.h"
#include "cli/init.h"
#include "cli/report.h"
#include "cli/run_said.h"

/* The model file says where it is from; nothing here depends on time or threads. */
stoa_status cli_set_number(stoa_model *model, const char *key, uint64_t value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return stoa_model_set_fact(model, key, text);
}

/* First weights, and the facts that say where the model comes from. */
static stoa_status prepare_model(const struct cli_subject *subject, const char *name, uint64_t seed) {
    stoa_status status = stoa_model_init(subject->model, seed);
    if (status == STOA_OK) {
        status = cli_set_text(subject->model, "recipe", name);
    }
    if (status == STOA_OK) {
        char *text = cli_recipe_in_force(subject->recipe);
        status = cli_set_text(subject->model, "recipe.text", text);
        free(text);
    }
    return status == STOA_OK ? cli_set_number(subject->model, "train.seed", seed) : status;
}

int cli_setup_open(const char *init, const char *map, const struct cli_subject *subject,
                   const stoa_dataset *train, const stoa_dataset *test, struct cli_setup *setup) {
    stoa_recipe_info info;
    stoa_recipe_describe(subject->recipe, &info);
    *setup = (struct cli_setup){.name = cli_recipe_name(subject->path)};
    setup->options = info.train;
    setup->options.loss = stoa_model_fact(subject->model, "loss"); /* with measured weights of the classes */
    stoa_status status = prepare_model(subject, setup->name, setup->options.seed);
    if (map && !init) {
        return cli_fail(CLI_WRONG, "--map: found without --init MODEL, whose names it is about");
    }
    if (status == STOA_OK && init) {
        int code = cli_init_model(init, map, subject, &setup->init);
        if (code != CLI_DONE) {
            return code;
        }
    }
    if (status == STOA_OK) {
        status = stoa_train_check(subject->context, subject->model, train, test, &setup->options);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

void cli_setup_free(struct cli_setup *setup) {
    free(setup->name);
    json_decref(setup->init);
    *setup = (struct cli_setup){.name = NULL};
}
