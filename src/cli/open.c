/* Contexts, models and data from the command line's words. Floor 9: public headers only. */
#include "cli/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/environment.h"
#include "cli/find.h"
#include "cli/report.h"

int cli_open_context(const struct cli_request *request, struct cli_subject *subject) {
    stoa_context_options options = {0};
    int code = cli_environment_read(&options);
    if (code != CLI_DONE) {
        return code;
    }
    if (request->threads) {
        options.threads = request->threads;
    }
    stoa_status status = stoa_context_create(&options, &subject->context);
    return status == STOA_OK ? cli_environment_set(subject->context)
                             : cli_fail(cli_code_of(status), "context: %s", stoa_status_text(status));
}

int cli_open_recipe(const char *name, struct cli_subject *subject) {
    subject->path = cli_find_recipe(name);
    if (!subject->path) {
        return CLI_WRONG;
    }
    stoa_status status = stoa_recipe_load(subject->context, subject->path, &subject->recipe);
    if (status == STOA_OK) {
        status = stoa_recipe_model(subject->context, subject->recipe, &subject->model);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

int cli_open_model(const char *name, const char *recipe, struct cli_subject *subject) {
    char *path = cli_is_folder(name) ? cli_text("%s/model.safetensors", name) : cli_text("%s", name);
    if (cli_is_folder(name) && !cli_is_file(path)) {
        free(path);
        return cli_fail(CLI_WRONG,
                        "%s: found a folder without model.safetensors, expected a model or a run's folder",
                        name);
    }
    stoa_status status;
    if (recipe) {
        int code = cli_open_recipe(recipe, subject);
        if (code != CLI_DONE) {
            free(path);
            return code;
        }
        status = stoa_model_load_tensors(subject->model, path);
    } else {
        status = stoa_model_load(subject->context, path, &subject->model);
    }
    free(subject->path);
    subject->path = path;
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

bool cli_means_model(const char *name) {
    if (cli_is_folder(name) && strchr(name, '/')) {
        return true;
    }
    size_t length = strlen(name);
    static const char end[] = ".safetensors";
    if (length >= sizeof end && strcmp(name + length - (sizeof end - 1), end) == 0) {
        return true;
    }
    char *inside = cli_text("%s/model.safetensors", name);
    bool run = cli_is_file(inside);
    free(inside);
    if (run || !cli_is_regular(name)) {
        return run;
    }
    /* Any other file name: safetensors begins with eight bytes of length and the brace of its header. */
    char head[9] = "";
    FILE *file = fopen(name, "rbe");
    size_t bytes = file ? fread(head, 1, sizeof head, file) : 0;
    if (file) {
        (void)fclose(file);
    }
    return bytes == sizeof head && head[8] == '{';
}

/* Read a number that travels with the model. */
static int read_fact(const struct cli_subject *subject, const char *key, double lowest, double highest,
                     double *value) {
    const char *text = stoa_model_fact(subject->model, key);
    if (!text || cli_read_number(text, lowest, highest, value)) {
        return CLI_DONE;
    }
    return cli_fail(CLI_WRONG, "%s: %s: found '%s', expected a number from %.7g to %.7g", subject->path, key,
                    text, lowest, highest);
}

int cli_read_facts(const struct cli_subject *subject, struct cli_facts *facts) {
    double classes = (double)stoa_model_output_size(subject->model), mean = 0, deviation = 1;
    int code = read_fact(subject, "data.classes", 1, 1e9, &classes);
    if (code == CLI_DONE) {
        code = read_fact(subject, "data.mean", -1e30, 1e30, &mean);
    }
    if (code == CLI_DONE) {
        code = read_fact(subject, "data.deviation", 1e-30, 1e30, &deviation);
    }
    *facts = (struct cli_facts){
        .set = stoa_model_fact(subject->model, "data.set"),
        .loss = stoa_model_fact(subject->model, "loss"),
        .classes = (size_t)classes,
        .mean = (float)mean,
        .deviation = (float)deviation,
    };
    return code;
}

int cli_open_data(const struct cli_subject *subject, const char *folder, stoa_split split,
                  stoa_dataset **data) {
    struct cli_facts facts;
    int code = cli_read_facts(subject, &facts);
    if (code != CLI_DONE) {
        return code;
    }
    const char *set = folder ? folder : facts.set;
    if (!set || !*set) {
        return cli_fail(CLI_WRONG, "%s: names no data set, expected --data DIR", subject->path);
    }
    /* --data is a path; only a name from a recipe is searched for. */
    char *path = folder ? cli_text("%s", folder) : cli_find_data(set);
    if (!path) {
        return CLI_WRONG;
    }
    stoa_status status = stoa_dataset_open(subject->context, path, split, facts.classes, data);
    free(path);
    if (status == STOA_OK) {
        status = stoa_dataset_normalize(*data, facts.mean, facts.deviation);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

void cli_close(struct cli_subject *subject) {
    stoa_model_free(subject->model);
    if (subject->recipe) {
        stoa_recipe_free(subject->recipe);
    }
    stoa_context_free(subject->context);
    free(subject->path);
    *subject = (struct cli_subject){0};
}
