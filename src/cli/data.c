/* SPDX-License-Identifier: MIT */
/* Where a model's data are: on the command line, in its facts, or where data sets lie. Public headers
 * only. */
#include "cli/data.h"

#include <stdlib.h>
#include <string.h>

#include "cli/find.h"
#include "cli/report.h"

int cli_choose_layout(const struct cli_request *request, const struct cli_subject *subject) {
    static const char *const layouts[] = {"auto", "nhwc", "nchw"};
    bool known = request->layout == NULL;
    for (size_t i = 0; request->layout && i < sizeof layouts / sizeof layouts[0]; i++) {
        known = known || strcmp(request->layout, layouts[i]) == 0;
    }
    if (!known) {
        return cli_fail(CLI_WRONG, "--layout: found '%s', expected auto, nhwc or nchw", request->layout);
    }
    stoa_status status =
        request->layout ? stoa_model_set_fact(subject->model, "data.layout", request->layout) : STOA_OK;
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

/* From malloc; NULL with the sentence out. */
static char *find_data(const struct cli_subject *subject, const char *path) {
    const char *trained = stoa_model_fact(subject->model, "data.path");
    const char *set = stoa_model_fact(subject->model, "data.set");
    if (path) {
        return cli_text("%s", path); /* only a name from a recipe is searched for */
    }
    if (trained && !cli_is_file(trained) && !cli_is_folder(trained) && strcmp(trained, "digits") != 0) {
        (void)cli_fail(CLI_WRONG, "%s: was trained on %s, which is not there: expected --data PATH",
                       subject->path, trained);
        return NULL;
    }
    if (!trained && (!set || !*set)) {
        (void)cli_fail(CLI_WRONG, "%s: names no data set, expected --data PATH", subject->path);
        return NULL;
    }
    return trained ? cli_text("%s", trained) : cli_find_data(set);
}

int cli_open_data(const struct cli_subject *subject, const char *path, bool all, stoa_dataset **train,
                  stoa_dataset **test, char **from) {
    stoa_context *context = subject->context;
    stoa_model *model = subject->model;
    const char *trained = stoa_model_fact(model, "data.path");
    bool found_by_name = !path && !trained;
    char *found = find_data(subject, path);
    if (!found) {
        return CLI_WRONG;
    }
    stoa_status status = train ? stoa_model_open_training_data(context, model, found, train, test)
                               : stoa_model_open_data(context, model, found, all, test);
    if (status == STOA_OK && train && found_by_name) {
        /* The name is enough, and the same on every machine. */
        status = stoa_model_set_fact(model, "data.path", NULL);
    }
    if (from && status == STOA_OK) {
        *from = found;
        return CLI_DONE;
    }
    free(found);
    return status == STOA_OK ? CLI_DONE : cli_fail_library(context, status);
}
