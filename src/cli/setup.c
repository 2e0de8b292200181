/* SPDX-License-Identifier: MIT */
/* What a training begins with: see setup.h. Public headers only. */
#include "cli/setup.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/find.h"
#include "cli/init.h"
#include "cli/report.h"

int cli_setup_recipe(const struct cli_request *request, stoa_context *context, stoa_recipe *recipe) {
    enum { DIGITS = 32 };
    char epochs[DIGITS], batch[DIGITS], rate[DIGITS], seed[DIGITS], split[DIGITS];
    (void)snprintf(epochs, DIGITS, "%zu", request->epochs);
    (void)snprintf(batch, DIGITS, "%zu", request->batch);
    (void)snprintf(rate, DIGITS, "%.9g", request->learning_rate);
    (void)snprintf(seed, DIGITS, "%llu", (unsigned long long)request->seed.value);
    (void)snprintf(split, DIGITS, "%llu", (unsigned long long)request->split_seed.value);
    const struct {
        const char *option, *key, *value; /* NULL: as the recipe says */
    } settings[] = {
        {"epochs", "train.epochs", request->epochs ? epochs : NULL},
        {"batch", "train.batch", request->batch ? batch : NULL},
        {"lr", "train.lr", request->learning_rate > 0 ? rate : NULL},
        {"seed", "train.seed", request->seed.given ? seed : NULL},
        {"split-seed", "data.split_seed", request->split_seed.given ? split : NULL},
        {"layout", "data.layout", request->layout},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        stoa_status status = settings[i].value
                                 ? stoa_recipe_set(context, recipe, settings[i].key, settings[i].value)
                                 : STOA_OK;
        if (status != STOA_OK) {
            return cli_fail(cli_code_of(status), "--%s: %s", settings[i].option, stoa_context_error(context));
        }
    }
    return CLI_DONE;
}

/* The model file says where it is from; nothing here depends on time or threads. */
stoa_status cli_set_number(stoa_model *model, const char *key, uint64_t value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return stoa_model_set_fact(model, key, text);
}

/* Facts are UTF-8; a file's name and text need not be, and the first save would be late to find out. */
static stoa_status set_text(stoa_model *model, const char *key, const char *value) {
    json_t *text = cli_json_text(value);
    stoa_status status = stoa_model_set_fact(model, key, json_string_value(text));
    json_decref(text);
    return status;
}

/* First weights, and the facts that say where the model comes from. */
static stoa_status prepare_model(const struct cli_subject *subject, const char *name, uint64_t seed) {
    stoa_status status = stoa_model_init(subject->model, seed);
    if (status == STOA_OK) {
        status = set_text(subject->model, "recipe", name);
    }
    if (status == STOA_OK) {
        status = set_text(subject->model, "recipe.text", stoa_recipe_text(subject->recipe));
    }
    return status == STOA_OK ? cli_set_number(subject->model, "train.seed", seed) : status;
}

int cli_setup_open(const char *init, const struct cli_subject *subject, const stoa_dataset *train,
                   const stoa_dataset *test, struct cli_setup *setup) {
    stoa_recipe_info info;
    stoa_recipe_describe(subject->recipe, &info);
    *setup = (struct cli_setup){.name = cli_recipe_name(subject->path)};
    setup->options = info.train;
    setup->options.loss = stoa_model_fact(subject->model, "loss"); /* with measured weights of the classes */
    stoa_status status = prepare_model(subject, setup->name, setup->options.seed);
    if (status == STOA_OK && init) {
        int code = cli_init_model(init, subject, &setup->init);
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
    free(setup->init);
    *setup = (struct cli_setup){.name = NULL};
}
