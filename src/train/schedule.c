/* SPDX-License-Identifier: MIT */
/* What all schedules share: the registry, the options of every schedule, steps or epochs as units,
 * warm-up. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "train/options.h"
#include "train/train_list.h" /* made from src/train/meson.build: X(name) for every schedule */

#define STOA_SCHEDULE_DECLARE(name) extern const struct stoa_schedule stoa_schedule_##name;
STOA_SCHEDULE_LIST(STOA_SCHEDULE_DECLARE)
#undef STOA_SCHEDULE_DECLARE

#define STOA_SCHEDULE_ADDRESS(name) &stoa_schedule_##name,
const struct stoa_schedule *const stoa_schedules[] = {STOA_SCHEDULE_LIST(STOA_SCHEDULE_ADDRESS) NULL};
#undef STOA_SCHEDULE_ADDRESS

static const char *const unit_names[] = {"step", "epoch", NULL};
enum { EPOCHS = 1 };

static const struct stoa_option shared[] = {
    {"per", STOA_OPTION_CHOICE, offsetof(struct stoa_schedule_units, per), "step", 0, 0, unit_names},
    {"warmup", STOA_OPTION_SIZE, offsetof(struct stoa_schedule_units, warmup), "0", 0, 1e9, NULL},
    {"warmup_start", STOA_OPTION_DOUBLE, offsetof(struct stoa_schedule_units, warmup_start), "0.1", 0, 1,
     NULL},
};
enum { SHARED = sizeof shared / sizeof *shared, MOST_OPTIONS = 16 };

/* A schedule with a `warmup` of its own does all of it. */
static bool is_its_own(const struct stoa_schedule *schedule, const char *name) {
    for (size_t i = 0; i < schedule->option_count; i++) {
        if (strcmp(schedule->options[i].name, name) == 0 ||
            (strcmp(schedule->options[i].name, "warmup") == 0 && strcmp(name, "warmup_start") == 0)) {
            return true;
        }
    }
    return false;
}

/* One table of the schedule's options and the shared ones, over the whole settings: an unknown option's
 * sentence lists all. */
static size_t join_options(const struct stoa_schedule *schedule, struct stoa_option table[MOST_OPTIONS]) {
    size_t count = 0;
    assert(schedule->option_count + SHARED <= MOST_OPTIONS);
    for (size_t i = 0; i < schedule->option_count; i++) {
        table[count] = schedule->options[i];
        table[count++].offset += offsetof(struct stoa_train_settings, schedule_options);
    }
    for (size_t i = 0; i < SHARED; i++) {
        if (!is_its_own(schedule, shared[i].name)) {
            table[count] = shared[i];
            table[count++].offset += offsetof(struct stoa_train_settings, schedule_units);
        }
    }
    return count;
}

static const char *schedule_at(const void *from, size_t index) {
    (void)from;
    return stoa_schedules[index] ? stoa_schedules[index]->name : NULL;
}

stoa_status stoa_schedule_read(struct stoa_error *error, const char *line, void *into) {
    struct stoa_train_settings *settings = into;
    struct stoa_spec spec;
    if (stoa_spec_parse(error, line, &spec) != STOA_OK) {
        return stoa_error_prefix(error, "schedule: ");
    }
    for (size_t i = 0; stoa_schedules[i]; i++) {
        const struct stoa_schedule *s = stoa_schedules[i];
        if (strcmp(s->name, spec.name) == 0) {
            struct stoa_option table[MOST_OPTIONS];
            size_t count = join_options(s, table);
            assert(s->options_bytes <= sizeof settings->schedule_options);
            settings->schedule = s;
            stoa_status status = stoa_options_read(error, table, count, &spec, settings);
            return status == STOA_OK ? STOA_OK : stoa_error_prefix(error, "schedule %s: ", s->name);
        }
    }
    return stoa_error_unknown(error, "schedule", spec.name, "", &(struct stoa_words){schedule_at, NULL});
}

bool stoa_schedule_spans(const struct stoa_train_settings *settings) {
    enum { TOTAL = 1024, APART = 64 };
    for (uint64_t at = 0; at < TOTAL; at += APART) {
        double once = settings->schedule->factor(settings->schedule_options, at, TOTAL);
        if (once != settings->schedule->factor(settings->schedule_options, at, 2 * TOTAL)) {
            return true;
        }
    }
    return false;
}

double stoa_schedule_factor(const struct stoa_train_settings *settings,
                            const struct stoa_schedule_state *state, uint64_t step, uint64_t total_steps) {
    const struct stoa_schedule_units *u = &settings->schedule_units;
    uint64_t epoch_steps =
        total_steps / settings->options.epochs + (total_steps % settings->options.epochs != 0);
    uint64_t total = u->per == EPOCHS ? settings->options.epochs : total_steps;
    uint64_t at = u->per == EPOCHS ? step / epoch_steps : step;
    at = at < total ? at : total - 1;
    if (at < u->warmup) {
        double start = u->warmup_start;
        return (start + (1 - start) * (double)at / (double)u->warmup) * state->factor;
    }
    return settings->schedule->factor(settings->schedule_options, at - u->warmup,
                                      total > u->warmup ? total - u->warmup : 1) *
           state->factor;
}
