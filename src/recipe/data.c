/* SPDX-License-Identifier: MIT */
/* [data] as options of a reader, and as the facts that travel with a model. Floor 8. */
#include "recipe/data.h"

#include <stdio.h>

#include "base/number.h"

const char *const stoa_normalize_choices[] = {"given", "measured", NULL};
const char *const stoa_weights_choices[] = {"none", "measured", NULL};
const char *const stoa_layout_choices[] = {"auto", "nhwc", "nchw", NULL};
const char *const stoa_header_choices[] = {"auto", "yes", "no", NULL};

void stoa_recipe_data_describe(const struct stoa_recipe_data *data, stoa_recipe_info *info) {
    info->set = data->set;
    info->classes = data->classes;
    info->mean = data->mean;
    info->deviation = data->deviation;
    info->measured = data->normalize == 1;
    info->weighted = data->weights == 1;
    info->data = (stoa_data_options){
        .classes = data->classes,
        .label = data->label[0] ? data->label : NULL,
        .header = (stoa_header)data->header,
        .layout = (stoa_layout)data->layout,
        .test = data->test,
        .seed = data->seed,
        .samples = data->samples,
        .memory = data->memory,
    };
}

stoa_status stoa_recipe_data_facts(const struct stoa_recipe_data *data, stoa_model *model) {
    bool measured = data->normalize == 1;
    char classes[32], mean[32], deviation[32], test[32], seed[32], samples[32], memory[32];
    (void)snprintf(classes, sizeof classes, "%zu", data->classes);
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)data->seed);
    (void)snprintf(memory, sizeof memory, "%zu", data->memory);
    (void)snprintf(samples, sizeof samples, "%zu", data->samples);
    stoa_format_float(data->mean, mean);
    stoa_format_float(data->deviation, deviation);
    stoa_format_float(data->test, test);
    /* Measured ones are known once the training data have been read. */
    const char *const facts[][2] = {
        {"data.set", data->set[0] ? data->set : NULL},
        {"data.classes", classes},
        {"data.mean", measured ? NULL : mean},
        {"data.deviation", measured ? NULL : deviation},
        {"data.normalize", measured ? "measured" : NULL},
        {"data.label", data->label[0] ? data->label : NULL},
        {"data.header", data->header ? stoa_header_choices[data->header] : NULL},
        {"data.layout", data->layout ? stoa_layout_choices[data->layout] : NULL},
        {"data.test", data->test > 0 ? test : NULL},
        {"data.split_seed", data->seed ? seed : NULL},
        {"data.samples", data->samples ? samples : NULL},
        {"data.memory", data->memory ? memory : NULL},
    };
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && i < sizeof facts / sizeof facts[0]; i++) {
        status = stoa_model_set_fact(model, facts[i][0], facts[i][1]);
    }
    return status;
}
