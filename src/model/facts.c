/* SPDX-License-Identifier: MIT */
/* Facts: strings that travel with a model, in the order of their keys. */
#include <stdlib.h>
#include <string.h>

#include "model/graph.h"

/* Where the key stands, or where it would be put. */
static size_t find_place(const stoa_model *model, const char *key, bool *found) {
    size_t i = 0;
    while (i < model->fact_count && strcmp(model->facts[i].key, key) < 0) {
        i++;
    }
    *found = i < model->fact_count && strcmp(model->facts[i].key, key) == 0;
    return i;
}

static void remove_fact(stoa_model *model, size_t at) {
    free(model->facts[at].key);
    free(model->facts[at].value);
    model->fact_count--;
    memmove(&model->facts[at], &model->facts[at + 1], (model->fact_count - at) * sizeof *model->facts);
}

/* Put a pair into a list of `*count` at a place of it. */
static stoa_status insert(stoa_model *model, struct stoa_fact **list, size_t *count, size_t at,
                          const char *key, const char *value) {
    struct stoa_fact *facts = realloc(*list, (*count + 1) * sizeof *facts);
    if (facts) {
        *list = facts;
    }
    struct stoa_fact fact = {strdup(key), strdup(value)};
    if (!facts || !fact.key || !fact.value) {
        free(fact.key);
        free(fact.value);
        return stoa_fail(model->context, STOA_ERR_MEMORY, "fact '%.64s': out of memory", key);
    }
    memmove(&facts[at + 1], &facts[at], (*count - at) * sizeof *facts);
    facts[at] = fact;
    (*count)++;
    return STOA_OK;
}

static stoa_status insert_fact(stoa_model *model, size_t at, const char *key, const char *value) {
    if (model->fact_count == STOA_MAX_FACTS) {
        return stoa_fail(model->context, STOA_ERR_ARGUMENT, "fact '%.64s': more than %d facts", key,
                         STOA_MAX_FACTS);
    }
    return insert(model, &model->facts, &model->fact_count, at, key, value);
}

stoa_status stoa_model_add_origin(stoa_model *model, const char *key, const char *value) {
    return insert(model, &model->origin, &model->origin_count, model->origin_count, key, value);
}

void stoa_facts_free(struct stoa_fact *facts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(facts[i].key);
        free(facts[i].value);
    }
    free(facts);
}

stoa_status stoa_model_set_fact(stoa_model *model, const char *key, const char *value) {
    bool found;
    size_t at = find_place(model, key, &found);
    if (found && value) {
        char *copy = strdup(value);
        if (!copy) {
            return stoa_fail(model->context, STOA_ERR_MEMORY, "fact '%.64s': out of memory", key);
        }
        free(model->facts[at].value);
        model->facts[at].value = copy;
    } else if (found) {
        remove_fact(model, at);
    } else if (value) {
        return insert_fact(model, at, key, value);
    }
    return STOA_OK;
}

const char *stoa_model_fact(const stoa_model *model, const char *key) {
    bool found;
    size_t at = find_place(model, key, &found);
    return found ? model->facts[at].value : NULL;
}

static bool pair_at(const struct stoa_fact *facts, size_t count, size_t index, const char **key,
                    const char **value) {
    if (index >= count) {
        return false;
    }
    *key = facts[index].key;
    *value = facts[index].value;
    return true;
}

bool stoa_model_fact_at(const stoa_model *model, size_t index, const char **key, const char **value) {
    return pair_at(model->facts, model->fact_count, index, key, value);
}

bool stoa_model_origin_at(const stoa_model *model, size_t index, const char **key, const char **value) {
    return pair_at(model->origin, model->origin_count, index, key, value);
}
