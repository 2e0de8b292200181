/* SPDX-License-Identifier: MIT */
/* Facts: strings that travel with a model, in the order of their keys. Floor 6. */
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

static stoa_status insert_fact(stoa_model *model, size_t at, const char *key, const char *value) {
    if (model->fact_count == STOA_MAX_FACTS) {
        return stoa_fail(model->context, STOA_ERR_ARGUMENT, "fact '%.64s': more than %d facts", key,
                         STOA_MAX_FACTS);
    }
    struct stoa_fact *facts = realloc(model->facts, (model->fact_count + 1) * sizeof *facts);
    if (facts) {
        model->facts = facts;
    }
    struct stoa_fact fact = {strdup(key), strdup(value)};
    if (!facts || !fact.key || !fact.value) {
        free(fact.key);
        free(fact.value);
        return stoa_fail(model->context, STOA_ERR_MEMORY, "fact '%.64s': out of memory", key);
    }
    memmove(&facts[at + 1], &facts[at], (model->fact_count - at) * sizeof *facts);
    facts[at] = fact;
    model->fact_count++;
    return STOA_OK;
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

bool stoa_model_fact_at(const stoa_model *model, size_t index, const char **key, const char **value) {
    if (index >= model->fact_count) {
        return false;
    }
    *key = model->facts[index].key;
    *value = model->facts[index].value;
    return true;
}
