/* SPDX-License-Identifier: MIT */
/* Continuing a run: see resume.h. Public headers only. */
#include "cli/resume.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/find.h"
#include "cli/report.h"
#include "cli/run_checkpoint.h"
#include "cli/settings.h"

/* ---- which checkpoint ---- */

/* Tell that a checkpoint cannot be used, and what happens then. */
static void pass_over(struct cli_resume *resume, const struct cli_run_folder *folder, const char *sentence) {
    char *failed = cli_checkpoint_path(folder->path, resume->steps[resume->next++]);
    /* The library's sentence begins with the path, others do not. */
    bool named = strncmp(sentence, failed, strlen(failed)) == 0;
    char *older =
        resume->next < resume->count ? cli_checkpoint_path(folder->path, resume->steps[resume->next]) : NULL;
    (void)cli_fail(CLI_DONE, "%s%s%s; %s%s", named ? "" : failed, named ? "" : ": ", sentence,
                   older ? "taking " : "there is no older one", older ? older : "");
    free(older);
    free(failed);
}

/* The newest checkpoint that is a whole file. */
static int find_newest(struct cli_resume *resume, stoa_context *context,
                       const struct cli_run_folder *folder) {
    while (resume->next < resume->count) {
        char *path = cli_checkpoint_path(folder->path, resume->steps[resume->next]);
        stoa_status status = stoa_model_load(context, path, &resume->saved);
        free(path);
        if (status == STOA_OK || status == STOA_ERR_MEMORY) {
            return status == STOA_OK ? CLI_DONE : cli_fail_library(context, status);
        }
        pass_over(resume, folder, stoa_context_error(context));
    }
    return resume->count > 0 ? CLI_WRONG
                             : cli_fail(CLI_WRONG,
                                        "%s: found no checkpoint-STEP.safetensors, expected the folder of a "
                                        "run that can be continued",
                                        folder->path);
}

/* ---- the request ---- */

/* What starts a run and cannot be asked for when it goes on. */
static int check_request(const struct cli_request *request) {
    const char *wrong = request->out       ? "out"
                        : request->force   ? "force"
                        : request->init    ? "init"
                        : request->map     ? "map"
                        : request->find_lr ? "find-lr"
                                           : NULL;
    return !wrong ? CLI_DONE
                  : cli_fail(CLI_WRONG,
                             "--%s: found beside --resume, expected none: the run goes on as it was begun",
                             wrong);
}

/* A line "key = value" of a recipe's text as the library writes it. */
struct line {
    char section[16];
    const char *key, *value;
    size_t key_length, value_length;
};

/* Step over the next line with a key; false at the end. */
static bool next_line(const char **text, struct line *line) {
    while (**text) {
        const char *at = *text;
        size_t length = strcspn(at, "\n");
        *text += length + (at[length] == '\n');
        if (at[0] == '#') {
            continue; /* what is not said */
        }
        if (at[0] == '[') {
            (void)snprintf(line->section, sizeof line->section, "%.*s", (int)strcspn(at + 1, "]\n"), at + 1);
            continue;
        }
        const char *sign = strstr(at, " = ");
        if (sign && sign < at + length) {
            line->key = at;
            line->key_length = (size_t)(sign - at);
            line->value = sign + 3;
            line->value_length = (size_t)(at + length - line->value);
            return true;
        }
    }
    return false;
}

/* Whether two lines say the same: numbers may be written in other ways. */
static bool means_the_same(const struct line *a, const struct line *b) {
    if (a->value_length == b->value_length && memcmp(a->value, b->value, a->value_length) == 0) {
        return true;
    }
    char *left = cli_text("%.*s", (int)a->value_length, a->value);
    char *right = cli_text("%.*s", (int)b->value_length, b->value);
    double x, y;
    bool same =
        cli_read_number(left, -1e38, 1e38, &x) && cli_read_number(right, -1e38, 1e38, &y) && x >= y && x <= y;
    free(left);
    free(right);
    return same;
}

/* The line of the same key; false where there is none. */
static bool find_line(const char *text, const struct line *wanted, struct line *found) {
    *found = (struct line){.section = ""};
    while (next_line(&text, found)) {
        if (strcmp(found->section, wanted->section) == 0 && found->key_length == wanted->key_length &&
            memcmp(found->key, wanted->key, wanted->key_length) == 0) {
            return true;
        }
    }
    return false;
}

/* Words for people and the number of epochs may be others. */
static bool counts(const struct line *line) {
    static const char epochs[] = "epochs";
    return line->section[0] &&
           !(strcmp(line->section, "train") == 0 && line->key_length == sizeof epochs - 1 &&
             memcmp(line->key, epochs, line->key_length) == 0);
}

/* What a key means that is not said. */
static bool find_default(const struct line *wanted, struct line *found) {
    stoa_recipe_key key;
    *found = (struct line){.section = ""};
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        if (strcmp(key.section, wanted->section) == 0 && strlen(key.name) == wanted->key_length &&
            memcmp(key.name, wanted->key, wanted->key_length) == 0) {
            found->value = key.fallback;
            found->value_length = strlen(key.fallback);
            return found->value_length > 0;
        }
    }
    return false;
}

/* Add the keys of `asked` that `run` has with another value or not at all; in reverse those that only the
 * run, which stands first then, has. */
static char *add_differences(char *all, const char *asked, const char *run, bool reverse) {
    struct line line = {.section = ""}, other;
    while (next_line(&asked, &line)) {
        bool there = find_line(run, &line, &other), known = there || find_default(&line, &other);
        if (!counts(&line) || (there && reverse) || (known && means_the_same(&line, &other))) {
            continue;
        }
        const struct line none = {.value = "none", .value_length = 4}, *second = known ? &other : &none;
        const struct line *found = reverse ? second : &line, *expected = reverse ? &line : second;
        char *longer = cli_text("%s%s%s.%.*s: found %.*s, expected %.*s", all ? all : "", all ? "; " : "",
                                line.section, (int)line.key_length, line.key, (int)found->value_length,
                                found->value, (int)expected->value_length, expected->value);
        free(all);
        all = longer;
    }
    return all;
}

/* Whether layers come in the same order; they are the same. */
static bool same_order(const char *a, const char *b) {
    struct line left = {.section = ""}, right = {.section = ""};
    bool more = true;
    while (more) {
        do {
            more = next_line(&a, &left);
        } while (more && strcmp(left.section, "model") != 0);
        bool other;
        do {
            other = next_line(&b, &right);
        } while (other && strcmp(right.section, "model") != 0);
        if (more != other || (more && (left.key_length != right.key_length ||
                                       memcmp(left.key, right.key, left.key_length) != 0))) {
            return false;
        }
    }
    return true;
}

static int compare(const struct cli_run_folder *folder, const char *asked, const char *run) {
    char *differences = add_differences(NULL, asked, run, false);
    differences = add_differences(differences, run, asked, true);
    int code = CLI_DONE;
    if (differences) {
        code = cli_fail(CLI_WRONG, "--resume: %s was begun with another recipe or other options: %s",
                        folder->path, differences);
    } else if (!same_order(asked, run)) {
        code = cli_fail(CLI_WRONG,
                        "--resume: %s was begun with another recipe: its layers come in another order",
                        folder->path);
    }
    free(differences);
    return code;
}

/* ---- recipe and model ---- */

/* The recipe that the request names, or the run's, with what the command line says instead, has to be the
 * run's. */
static int check_recipe(const struct cli_request *request, const struct cli_subject *subject,
                        const struct cli_run_folder *folder, const struct cli_resume *resume) {
    stoa_recipe *asked = NULL;
    char *path = request->operand_count > 0 ? cli_find_recipe(request->operands[0]) : NULL;
    if (request->operand_count > 0 && !path) {
        return CLI_WRONG;
    }
    stoa_status status = path ? stoa_recipe_load(subject->context, path, &asked)
                              : stoa_recipe_load_memory(subject->context, folder->path, resume->recipe,
                                                        strlen(resume->recipe), &asked);
    free(path);
    int code = status == STOA_OK ? cli_settings_apply(request, subject->context, asked)
                                 : cli_fail_library(subject->context, status);
    if (code == CLI_DONE) {
        code = compare(folder, stoa_recipe_text(asked), resume->recipe);
    }
    stoa_recipe_free(asked);
    return code;
}

static int open_recipe(const struct cli_request *request, struct cli_subject *subject,
                       const struct cli_run_folder *folder, struct cli_resume *resume) {
    const char *text = stoa_model_fact(resume->saved, "recipe.text");
    const char *name = stoa_model_fact(resume->saved, "recipe");
    if (!text || !name) {
        return cli_fail(CLI_WRONG,
                        "--resume: %s: its checkpoint has no fact 'recipe.text', expected that of a run",
                        folder->path);
    }
    resume->recipe = cli_text("%s", text);
    subject->path = cli_text("%s", name);
    stoa_recipe_info info;
    char epochs[32];
    (void)snprintf(epochs, sizeof epochs, "%zu", request->epochs);
    stoa_status status =
        stoa_recipe_load_memory(subject->context, folder->path, text, strlen(text), &subject->recipe);
    if (status == STOA_OK) {
        stoa_recipe_describe(subject->recipe, &info);
        resume->epochs = info.train.epochs ? info.train.epochs : 1;
    }
    if (status == STOA_OK && request->epochs) {
        status = stoa_recipe_set(subject->context, subject->recipe, "train.epochs", epochs);
    }
    if (status == STOA_OK) {
        status = stoa_recipe_model(subject->context, subject->recipe, &subject->model);
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

int cli_resume_open(const struct cli_request *request, struct cli_subject *subject,
                    struct cli_run_folder *folder, struct cli_resume *resume) {
    *resume = (struct cli_resume){.steps = NULL};
    int code = check_request(request);
    if (code == CLI_DONE) {
        code = cli_run_folder_continue(request, folder);
    }
    if (code != CLI_DONE) {
        return code;
    }
    resume->steps = cli_checkpoints_list(folder->descriptor, &resume->count);
    if (!resume->steps) {
        return cli_fail(CLI_FAILED, "%s: cannot read the folder: %s", folder->path, strerror(errno));
    }
    code = find_newest(resume, subject->context, folder);
    if (code == CLI_DONE) {
        code = open_recipe(request, subject, folder, resume);
    }
    return code == CLI_DONE ? check_recipe(request, subject, folder, resume) : code;
}

void cli_resume_close(struct cli_resume *resume) {
    stoa_model_free(resume->saved);
    free(resume->steps);
    free(resume->recipe);
    *resume = (struct cli_resume){.steps = NULL};
}

int cli_resume_facts(const struct cli_resume *resume, const struct cli_subject *subject, bool opened) {
    static const char path[] = "data.path";
    const char *key, *value;
    stoa_status status = STOA_OK;
    for (size_t i = 0; status == STOA_OK && stoa_model_fact_at(resume->saved, i, &key, &value); i++) {
        if ((opened || strcmp(key, path) == 0) && !stoa_model_fact(subject->model, key)) {
            status = stoa_model_set_fact(subject->model, key, value);
        }
    }
    return status == STOA_OK ? CLI_DONE : cli_fail_library(subject->context, status);
}

/* ---- the state ---- */

static void tell_differences(const struct cli_resume *resume, const struct cli_subject *subject,
                             const stoa_train_options *options, const stoa_trainer_info *info) {
    if (info->other_build[0]) {
        (void)cli_fail(CLI_DONE, "note: %s: the last bits may differ from those of a run that was not ended",
                       info->other_build);
    }
    if (!subject->quiet && options->epochs != resume->epochs && info->schedule_spans) {
        (void)cli_fail(
            CLI_DONE,
            "note: %zu epochs instead of %zu: schedule '%s' goes over all of them, so the rate goes on "
            "from where it is at this step of a run of %zu",
            options->epochs, resume->epochs, options->schedule, options->epochs);
    }
}

stoa_status cli_resume_load(struct cli_resume *resume, const struct cli_subject *subject,
                            struct cli_run_folder *folder, const stoa_train_options *options,
                            stoa_trainer *trainer, int *code) {
    char sentence[CLI_RUN_SENTENCE];
    for (; resume->next < resume->count; pass_over(resume, folder, sentence)) {
        char *path = cli_checkpoint_path(folder->path, resume->steps[resume->next]);
        stoa_status status = stoa_trainer_load(trainer, path);
        free(path);
        if (status == STOA_ERR_ARGUMENT || status == STOA_ERR_MEMORY) {
            *code = cli_fail_library(subject->context, status);
            return status;
        }
        stoa_trainer_info info;
        stoa_trainer_describe(trainer, &info);
        if (status != STOA_OK) {
            (void)snprintf(sentence, sizeof sentence, "%s", stoa_context_error(subject->context));
        } else if (cli_run_folder_go_on(folder, info.epochs, sentence) == CLI_DONE) {
            tell_differences(resume, subject, options, &info);
            return STOA_OK;
        }
    }
    *code = CLI_WRONG;
    return STOA_ERR_FORMAT;
}
