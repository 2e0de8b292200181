/* SPDX-License-Identifier: MIT */
/* What --set says: see settings.h. Public headers only. */
#include "cli/settings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

/* A value that begins at `*at`, without its quotes; `*at` moves to the comma or the end behind it. NULL
 * where a quote has no end or is followed by something else. */
static char *read_value(const char **at) {
    const char *c = *at;
    char *value = cli_allocate(strlen(c) + 1, 1), *out = value;
    bool quoted = *c == '"', closed = !quoted;
    for (c += quoted; *c && (!closed || *c != ','); c++) {
        if (!closed && c[0] == '"' && c[1] == '"') {
            *out++ = *c++;
        } else if (!closed && *c == '"') {
            closed = true;
        } else if (quoted && closed) {
            break;
        } else {
            *out++ = *c;
        }
    }
    *out = '\0';
    *at = c;
    if (!closed || (*c && *c != ',')) {
        free(value);
        return NULL;
    }
    return value;
}

static int read_setting(const char *text, struct cli_setting *setting) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return cli_fail(CLI_WRONG, "--set: found '%s', expected KEY=VALUE, such as lr=1e-3 or data.test=0.1",
                        text);
    }
    setting->values = cli_allocate(strlen(equals) + 1, sizeof *setting->values);
    const char *at = equals;
    do {
        at++;
        char *value = read_value(&at);
        if (!value) {
            return cli_fail(CLI_WRONG,
                            "--set: found '%s', expected a comma or the end behind a closing quote", text);
        }
        setting->values[setting->count++] = value;
        if (!*value && (*at == ',' || setting->count > 1)) {
            return cli_fail(CLI_WRONG,
                            "--set: found an empty value in '%s', expected one before and behind each comma",
                            text);
        }
    } while (*at == ',');
    return CLI_DONE;
}

/* "lr" and "train.lr" are one key; "model.lr" is another one. */
static bool is_same_key(const char *a, const char *b) {
    const char *a_point = strchr(a, '.'), *b_point = strchr(b, '.');
    bool one_without = !a_point != !b_point;
    return strcmp(one_without && a_point ? a_point + 1 : a, one_without && b_point ? b_point + 1 : b) == 0;
}

/* Options that say what a key says. */
static const char *const options[][2] = {{"epochs", "train.epochs"}, {"batch", "train.batch"},
                                         {"lr", "train.lr"},         {"seed", "train.seed"},
                                         {"seeds", "train.seed"},    {"split-seed", "data.split_seed"},
                                         {"layout", "data.layout"},  {"resize", "data.resize"}};
enum { OPTIONS = sizeof options / sizeof options[0] };

/* The key that an option stands for; NULL: none. */
static const char *key_of(const char *option) {
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(options[i][0], option) == 0) {
            return options[i][1];
        }
    }
    return NULL;
}

static int check_key(const struct cli_request *request, const struct cli_settings *settings,
                     const char *key) {
    for (size_t i = 0; i + 1 < settings->count; i++) {
        if (is_same_key(settings->list[i].key, key)) {
            return cli_fail(CLI_WRONG, "--set: %s is given twice, expected its values in one list: %s=A,B",
                            key, key);
        }
    }
    for (size_t i = 0; i < request->given_count; i++) {
        const char *option = request->given[i].name, *same = key_of(option);
        if (same && is_same_key(same, key)) {
            return cli_fail(CLI_WRONG, "--set: %s is said by --%s too, expected one of them", key, option);
        }
    }
    return CLI_DONE;
}

int cli_settings_read(const struct cli_request *request, struct cli_settings *settings) {
    *settings = (struct cli_settings){.list = cli_allocate(request->given_count + 1, sizeof *settings->list)};
    int code = CLI_DONE;
    for (size_t i = 0; code == CLI_DONE && i < request->given_count; i++) {
        if (strcmp(request->given[i].name, "set") == 0) {
            struct cli_setting *setting = &settings->list[settings->count++];
            const char *text = request->given[i].value;
            *setting = (struct cli_setting){.key = cli_text("%.*s", (int)strcspn(text, "="), text)};
            code = read_setting(text, setting);
            code = code == CLI_DONE ? check_key(request, settings, setting->key) : code;
        }
    }
    return code;
}

void cli_settings_free(struct cli_settings *settings) {
    for (size_t i = 0; i < settings->count; i++) {
        for (size_t k = 0; k < settings->list[i].count; k++) {
            free(settings->list[i].values[k]);
        }
        free(settings->list[i].values);
        free(settings->list[i].key);
    }
    free(settings->list);
    *settings = (struct cli_settings){.list = NULL};
}

size_t cli_settings_combinations(const struct cli_settings *settings) {
    size_t combinations = 1;
    for (size_t i = 0; i < settings->count; i++) {
        size_t count = settings->list[i].count;
        combinations = combinations > SIZE_MAX / count ? SIZE_MAX : combinations * count;
    }
    return combinations;
}

const char *cli_settings_value(const struct cli_settings *settings, size_t combination, size_t index) {
    for (size_t i = settings->count; --i > index;) {
        combination /= settings->list[i].count;
    }
    return settings->list[index].values[combination % settings->list[index].count];
}

/* Let the recipe say what an option or --set says. */
static int set(const char *option, const char *key, const char *value, stoa_context *context,
               stoa_recipe *recipe) {
    stoa_status status = stoa_recipe_set(context, recipe, key, value);
    return status == STOA_OK ? CLI_DONE
                             : cli_fail(cli_code_of(status), "--%s: %s", option, stoa_context_error(context));
}

int cli_settings_apply(const struct cli_request *request, stoa_context *context, stoa_recipe *recipe) {
    struct cli_settings settings;
    int code = cli_settings_read(request, &settings);
    for (size_t i = 0; code == CLI_DONE && i < request->given_count; i++) {
        const struct cli_given *given = &request->given[i];
        const char *key = strcmp(given->name, "seeds") == 0 ? NULL : key_of(given->name);
        code = key ? set(given->name, key, given->value, context, recipe) : CLI_DONE;
    }
    for (size_t i = 0; code == CLI_DONE && i < settings.count; i++) {
        const char *value = cli_settings_value(&settings, request->combination, i);
        code = set("set", settings.list[i].key, value, context, recipe);
    }
    cli_settings_free(&settings);
    return code;
}

char *cli_settings_word(const char *key, const char *value) {
    char *word = cli_allocate(strlen(key) + 2 * strlen(value) + 4, 1);
    size_t used = strlen(key);
    memcpy(word, key, used);
    word[used++] = '=';
    word[used++] = '"';
    for (const char *c = value; *c; c++) {
        word[used++] = *c;
        if (*c == '"') {
            word[used++] = '"';
        }
    }
    word[used++] = '"';
    word[used] = '\0';
    return word;
}
