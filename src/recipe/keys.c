/* SPDX-License-Identifier: MIT */
/* The keys of a recipe outside of [model]. Floor 8. */
#include "recipe/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/size.h"
#include "core/options.h"
#include "train/options.h"

enum kind {
    TEXT_KEY,
    NOTE_KEY,
    NAME_KEY,
    SIZE_KEY,
    SEED_KEY,
    FLOAT_KEY,
    BOOL_KEY,
    SPEC_KEY,
    NORMALIZE_KEY,
    HEADER_KEY,
    LAYOUT_KEY,
    WEIGHTS_KEY,
    BYTES_KEY
};

struct key {
    const char *section, *name;
    enum kind kind;
    size_t offset;
    double lowest, highest; /* of SIZE_KEY and FLOAT_KEY */
};

#define AT(member) offsetof(struct stoa_recipe, member)
static const struct key keys[] = {
    {"", "title", TEXT_KEY, AT(title), 0, 0},
    {"", "needs", NOTE_KEY, AT(needs), 0, 0},
    {"", "reaches", NOTE_KEY, AT(reaches), 0, 0},
    {"data", "set", NAME_KEY, AT(data.set), 0, 0},
    {"data", "classes", SIZE_KEY, AT(data.classes), 1, 1e6},
    {"data", "mean", FLOAT_KEY, AT(data.mean), -1e6, 1e6},
    {"data", "deviation", FLOAT_KEY, AT(data.deviation), 1e-6, 1e6},
    {"data", "normalize", NORMALIZE_KEY, AT(data.normalize), 0, 0},
    {"data", "label", TEXT_KEY, AT(data.label), 0, 0},
    {"data", "header", HEADER_KEY, AT(data.header), 0, 0},
    {"data", "layout", LAYOUT_KEY, AT(data.layout), 0, 0},
    {"data", "test", FLOAT_KEY, AT(data.test), 1e-3, 0.999},
    {"data", "split_seed", SEED_KEY, AT(data.seed), 0, 0},
    {"data", "samples", SIZE_KEY, AT(data.samples), 10, 1e6},
    {"data", "memory", BYTES_KEY, AT(data.memory), 0, 0},
    {"data", "weights", WEIGHTS_KEY, AT(data.weights), 0, 0},
    {"train", "epochs", SIZE_KEY, AT(epochs), 1, STOA_MOST_EPOCHS},
    {"train", "batch", SIZE_KEY, AT(batch), 1, STOA_MOST_BATCH},
    {"train", "lr", FLOAT_KEY, AT(learning_rate), STOA_LEAST_LEARNING_RATE, STOA_MOST_LEARNING_RATE},
    {"train", "seed", SEED_KEY, AT(seed), 0, 0},
    {"train", "in_order", BOOL_KEY, AT(in_order), 0, 0},
    {"train", "summed", BOOL_KEY, AT(summed), 0, 0},
    {"train", "optimizer", SPEC_KEY, AT(optimizer), 0, 0},
    {"train", "schedule", SPEC_KEY, AT(schedule), 0, 0},
    {"train", "loss", SPEC_KEY, AT(loss), 0, 0},
    {"train", "clip_norm", FLOAT_KEY, AT(clip_norm), 0, 1e9},
    {"train", "clip_value", FLOAT_KEY, AT(clip_value), 0, 1e9},
    {"train", "average", FLOAT_KEY, AT(average), 0, 0.999999},
    {"train", "validation", FLOAT_KEY, AT(validation), 0, 0.9},
    {"train", "stratified", BOOL_KEY, AT(stratified), 0, 0},
    {"train", "patience", SIZE_KEY, AT(patience), 0, 1e6},
    {"train", "min_delta", FLOAT_KEY, AT(min_delta), 0, 1e6},
    {"train", "keep_best", BOOL_KEY, AT(keep_best), 0, 0},
    {"train", "monitor", SPEC_KEY, AT(monitor), 0, 0},
    {"train", "augment", SPEC_KEY, AT(augment), 0, 0},
};
enum { KEYS = sizeof keys / sizeof keys[0] };
_Static_assert((size_t)KEYS <= (size_t)STOA_MOST_KEYS, "a line is kept for each key");

size_t stoa_key_find(const char *section, const char *name) {
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0) {
            return i;
        }
    }
    return STOA_MOST_KEYS;
}

stoa_status stoa_key_fail(struct stoa_error *error, const char *key, const char *value,
                          const char *expected) {
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s: found '%s', expected %s", key, value, expected);
}

/* Names of data sets become parts of paths, so only plain ones are taken. */
static bool is_plain_name(const char *value) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return value[0] != '.' && strspn(value, allowed) == strlen(value);
}

/* One of the words that a key takes. */
static stoa_status read_choice(struct stoa_error *error, const struct key *key, const char *value,
                               void *member) {
    const char *const *choices = key->kind == HEADER_KEY    ? stoa_header_choices
                                 : key->kind == LAYOUT_KEY  ? stoa_layout_choices
                                 : key->kind == WEIGHTS_KEY ? stoa_weights_choices
                                                            : stoa_normalize_choices;
    const struct stoa_option option = {
        .name = key->name, .type = STOA_OPTION_CHOICE, .fallback = value, .choices = choices};
    struct stoa_spec none = {.pairs = 0};
    return stoa_options_read(error, &option, 1, &none, member);
}

static stoa_status read_number(struct stoa_error *error, const struct key *key, const char *value,
                               void *member) {
    const struct stoa_option option = {.name = key->name,
                                       .type = key->kind == SIZE_KEY   ? STOA_OPTION_SIZE
                                               : key->kind == BOOL_KEY ? STOA_OPTION_BOOL
                                                                       : STOA_OPTION_FLOAT,
                                       .fallback = value,
                                       .lowest = key->lowest,
                                       .highest = key->highest};
    struct stoa_spec none = {.pairs = 0};
    return stoa_options_read(error, &option, 1, &none, member);
}

/* A few words that stand beside others on one line of a list. */
static stoa_status read_note(struct stoa_error *error, const struct key *key, const char *value, char *note) {
    size_t length = strlen(value);
    if (length >= STOA_RECIPE_NOTE) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "%s: found %zu bytes of text, expected at most %d",
                              key->name, length, STOA_RECIPE_NOTE - 1);
    }
    memcpy(note, value, length + 1);
    return STOA_OK;
}

/* "64M": a number of bytes with K, M, G or nothing behind it. */
static stoa_status read_bytes(struct stoa_error *error, const struct key *key, const char *value,
                              void *member) {
    static const char units[] = "KMG";
    size_t length = strlen(value), bytes = 0;
    const char *unit = length > 0 ? strchr(units, value[length - 1]) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (!stoa_parse_size(value, length - (unit != NULL), &bytes) ||
        !stoa_size_scale(&bytes, (size_t)1 << shift) || bytes < 1 << 18) {
        return stoa_key_fail(error, key->name, value, "a number of bytes from 256K, such as 64M");
    }
    memcpy(member, &bytes, sizeof bytes);
    return STOA_OK;
}

/* Optimiser, schedule, loss, monitor or augmentation, each checked alone, so that the sentence gets its
 * line. */
static stoa_status check_spec(stoa_context *context, const struct key *key, const char *value) {
    stoa_train_options options = {0};
    if (key->offset == AT(optimizer)) {
        options.optimizer = value;
    } else if (key->offset == AT(schedule)) {
        options.schedule = value;
    } else if (key->offset == AT(monitor)) {
        options.monitor = value;
    } else if (key->offset == AT(augment)) {
        options.augment = value;
    } else {
        options.loss = value;
    }
    return stoa_train_options_check(context, &options, false);
}

static stoa_status read_value(stoa_context *context, struct stoa_error *error, stoa_recipe *recipe,
                              const struct key *key, const char *value) {
    char *member = (char *)recipe + key->offset;
    stoa_status status = STOA_OK;
    uint64_t seed = 0;
    switch (key->kind) {
    case SIZE_KEY:
    case FLOAT_KEY:
    case BOOL_KEY:
        return read_number(error, key, value, member);
    case NORMALIZE_KEY:
    case HEADER_KEY:
    case LAYOUT_KEY:
    case WEIGHTS_KEY:
        return read_choice(error, key, value, member);
    case NOTE_KEY:
        return read_note(error, key, value, member);
    case BYTES_KEY:
        return read_bytes(error, key, value, member);
    case SEED_KEY:
        if (!stoa_parse_u64(value, strlen(value), &seed)) {
            return stoa_key_fail(error, key->name, value, "a whole number from 0");
        }
        memcpy(member, &seed, sizeof seed);
        return STOA_OK;
    case NAME_KEY:
        if (!is_plain_name(value)) {
            return stoa_key_fail(error, key->name, value, "a name of letters, digits, '_', '-' and '.'");
        }
        break;
    case SPEC_KEY:
        status = check_spec(context, key, value);
        break;
    case TEXT_KEY:
        break;
    }
    (void)snprintf(member, STOA_RECIPE_TEXT, "%s", value);
    return status;
}

stoa_status stoa_key_read(stoa_context *context, struct stoa_error *error, stoa_recipe *recipe, size_t key,
                          const char *value) {
    return read_value(context, error, recipe, &keys[key], value);
}

stoa_status stoa_key_unknown(struct stoa_error *error, const char *section, const char *name) {
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].section, section) == 0 && used < sizeof known) {
            used +=
                (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", keys[i].name);
        }
    }
    return stoa_error_set(error, STOA_ERR_ARGUMENT, "unknown key '%s' %s%s%s, expected %s", name,
                          section[0] ? "in [" : "before the first section", section, section[0] ? "]" : "",
                          known);
}
