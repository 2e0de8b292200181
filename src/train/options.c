/* SPDX-License-Identifier: MIT */
/* Training options read, and the registry of optimisers. */
#include "train/options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "ops/op.h"
#include "train/keys.h"
#include "train/train_list.h" /* made from src/train/meson.build: X(name) for every optimiser */

#define STOA_OPTIMIZER_DECLARE(name) extern const struct stoa_optimizer stoa_optimizer_##name;
STOA_OPTIMIZER_LIST(STOA_OPTIMIZER_DECLARE)
#undef STOA_OPTIMIZER_DECLARE
#define STOA_OPTIMIZER_ADDRESS(name) &stoa_optimizer_##name,
const struct stoa_optimizer *const stoa_optimizers[] = {STOA_OPTIMIZER_LIST(STOA_OPTIMIZER_ADDRESS) NULL};
#undef STOA_OPTIMIZER_ADDRESS

static const char *optimizer_at(const void *from, size_t index) {
    (void)from;
    return stoa_optimizers[index] ? stoa_optimizers[index]->name : NULL;
}

stoa_status stoa_optimizer_read(struct stoa_error *error, const char *line, void *into) {
    struct stoa_train_settings *settings = into;
    struct stoa_spec spec;
    if (stoa_spec_parse(error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(error, "optimizer: ");
    }
    for (size_t i = 0; stoa_optimizers[i]; i++) {
        const struct stoa_optimizer *o = stoa_optimizers[i];
        if (strcmp(o->name, spec.name) == 0) {
            assert(o->options_bytes <= sizeof settings->optimizer_options);
            settings->optimizer = o;
            stoa_status status =
                stoa_options_read(error, o->options, o->option_count, &spec, settings->optimizer_options);
            if (status != STOA_OK) {
                return stoa_error_prefix(error, "optimizer %s: ", o->name);
            }
            settings->optimizer_slots = o->slots(settings->optimizer_options, settings->slot_names);
            assert(settings->optimizer_slots <= STOA_MAX_SLOTS);
            return STOA_OK;
        }
    }
    return stoa_error_unknown(error, "optimizer", spec.name, "", &(struct stoa_words){optimizer_at, NULL});
}

stoa_status stoa_loss_read(struct stoa_error *error, const char *line, void *into) {
    struct stoa_train_settings *settings = into;
    struct stoa_spec spec;
    if (stoa_spec_parse(error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(error, "loss: ");
    }
    const struct stoa_op *op = stoa_op_find(spec.name);
    if (!op || !op->is_loss) {
        return stoa_unknown_loss(error, spec.name);
    }
    (void)snprintf(settings->loss, sizeof settings->loss, "%s", line);
    return STOA_OK;
}

/* In the order of enum stoa_monitor, with the tasks that they go with. */
static const struct {
    const char *name;
    bool classes, regression, labels;
} monitors[] = {{"loss", true, true, true},
                {"accuracy", true, false, true},
                {"rmse", false, true, false},
                {"f1", false, false, true}};

static const char *monitor_at(const void *from, size_t index) {
    (void)from;
    return index < sizeof monitors / sizeof monitors[0] ? monitors[index].name : NULL;
}

stoa_status stoa_monitor_read(struct stoa_error *error, const char *line, void *into) {
    struct stoa_train_settings *settings = into;
    for (size_t i = 0; i < sizeof monitors / sizeof monitors[0]; i++) {
        if (strcmp(line, monitors[i].name) == 0) {
            settings->monitor = (enum stoa_monitor)i;
            return STOA_OK;
        }
    }
    char near[STOA_NEAR_TEXT];
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "monitor: found '%.60s'%sloss, accuracy, rmse or f1",
                          line, stoa_near_text(line, &(struct stoa_words){monitor_at, NULL}, near));
}

stoa_status stoa_train_settings_check_task(struct stoa_error *error,
                                           const struct stoa_train_settings *settings, stoa_task task) {
    const char *name = monitors[settings->monitor].name;
    bool labels = task == STOA_TASK_MULTILABEL, numbers = task == STOA_TASK_REGRESSION;
    bool fits = numbers  ? monitors[settings->monitor].regression
                : labels ? monitors[settings->monitor].labels
                         : monitors[settings->monitor].classes;
    if (!fits) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "monitor: found '%s', expected %s with a task of %s",
                              name,
                              numbers  ? "loss or rmse"
                              : labels ? "loss, accuracy or f1"
                                       : "loss or accuracy",
                              numbers  ? "regression"
                              : labels ? "multilabel"
                                       : "classes");
    }
    return settings->options.stratified && (numbers || labels)
               ? stoa_error_set(
                     error, STOA_ERR_ARGUMENT,
                     "stratified: needs classes, the data have targets, of which any samples are held "
                     "out")
               : STOA_OK;
}

stoa_status stoa_augment_line_read(struct stoa_error *error, const char *line, void *into) {
    struct stoa_train_settings *settings = into;
    return stoa_augment_read(error, line, &settings->augment);
}

stoa_status stoa_train_settings_read(stoa_context *context, const stoa_train_options *options,
                                     struct stoa_train_settings *settings) {
    *settings = (struct stoa_train_settings){.options = *options};
    stoa_status status = stoa_keys_complete(&context->error, &stoa_train_keys, &settings->options, settings);
    stoa_keys_forget_texts(&stoa_train_keys, &settings->options);
    return status;
}

stoa_status stoa_train_settings_check(struct stoa_error *error, const struct stoa_train_settings *s) {
    const char *what = NULL;
    if (s->schedule->needs_validation && s->schedule->needs_validation(s->schedule_options)) {
        return s->options.validation > 0
                   ? STOA_OK
                   : stoa_error_set(error, STOA_ERR_ARGUMENT,
                                    "schedule %s watches the validation loss: set validation, the "
                                    "share of the training data held out, or watch=training",
                                    s->schedule->name);
    }
    what = s->options.patience > 0    ? "patience"
           : s->options.keep_best     ? "keep_best"
           : s->options.stratified    ? "stratified"
           : s->options.min_delta > 0 ? "min_delta"
           : s->monitor               ? "monitor"
                                      : NULL;
    return s->options.validation > 0 || !what
               ? STOA_OK
               : stoa_error_set(error, STOA_ERR_ARGUMENT,
                                "%s: needs validation, the share of the training data held out", what);
}

stoa_status stoa_optimizer_slots(stoa_context *context, const char *optimizer, size_t *slots) {
    struct stoa_train_settings settings;
    stoa_status status =
        stoa_train_settings_read(context, &(stoa_train_options){.optimizer = optimizer}, &settings);
    if (status == STOA_OK) {
        *slots = settings.optimizer_slots;
    }
    return status;
}

stoa_status stoa_train_options_check(stoa_context *context, const stoa_train_options *options) {
    struct stoa_train_settings settings;
    stoa_status status = stoa_train_settings_read(context, options, &settings);
    return status == STOA_OK ? stoa_train_settings_check(&context->error, &settings) : status;
}
