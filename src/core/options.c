/* SPDX-License-Identifier: MIT */
/* Options as text into structs, by table. Knows nothing of layers or optimisers: names, types and ranges come
 * from the tables. All text is bounded, nothing is allocated, numbers do not depend on the locale. */
#include "core/options.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/float_state.h"
#include "base/nearest.h"
#include "base/number.h"
#include "base/size.h"
#include "core/names.h"

/* How much of a foreign word an error sentence repeats. */
#define WORD "%.60s"

static const char white_space[] = " \t\r\n";

/* Take the next word out of *rest, or NULL at the end. */
static char *next_word(char **rest) {
    char *word = *rest + strspn(*rest, white_space);
    if (*word == '\0') {
        return NULL;
    }
    char *end = word + stoa_name_length(word, white_space);
    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

static stoa_status add_pair(struct stoa_error *error, struct stoa_spec *spec, char *word) {
    char *equals = strchr(word, '=');
    if (!equals || equals == word || equals[1] == '\0') {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found '" WORD "', expected OPTION=VALUE, such as units=10", word);
    }
    *equals = '\0';
    for (size_t i = 0; i < spec->pairs; i++) {
        if (strcmp(spec->pair[i].key, word) == 0) {
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "option '" WORD "' is given twice", word);
        }
    }
    if (spec->pairs == STOA_SPEC_MAX_PAIRS) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "found more than %d options", STOA_SPEC_MAX_PAIRS);
    }
    spec->pair[spec->pairs].key = word;
    spec->pair[spec->pairs].value = equals + 1;
    spec->pair[spec->pairs].used = false;
    spec->pairs++;
    return STOA_OK;
}

stoa_status stoa_spec_parse(struct stoa_error *error, const char *line, struct stoa_spec *spec) {
    size_t length = strlen(line);
    if (length >= sizeof spec->text) {
        spec->name = NULL;
        spec->pairs = 0;
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "the line is %zu bytes long, at most %d are allowed",
                              length, STOA_SPEC_MAX_TEXT - 1);
    }
    memcpy(spec->text, line, length + 1);
    return stoa_spec_take_apart(error, spec->text, spec);
}

stoa_status stoa_spec_take_apart(struct stoa_error *error, char *line, struct stoa_spec *spec) {
    char *rest = line;
    spec->pairs = 0;
    spec->name = next_word(&rest);
    if (!spec->name) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT, "found nothing, expected a name and its options");
    }
    if (strchr(spec->name, '=')) {
        return stoa_error_set(error, STOA_ERR_ARGUMENT,
                              "found '" WORD "', expected a name before the options", spec->name);
    }
    for (char *word = next_word(&rest); word; word = next_word(&rest)) {
        stoa_status status = add_pair(error, spec, word);
        if (status != STOA_OK) {
            return status;
        }
    }
    return STOA_OK;
}

const char *stoa_spec_take(struct stoa_spec *spec, const char *key) {
    for (size_t i = 0; i < spec->pairs; i++) {
        if (strcmp(spec->pair[i].key, key) == 0) {
            spec->pair[i].used = true;
            return spec->pair[i].value;
        }
    }
    return NULL;
}

/* Text being put together in a buffer of fixed size. */
struct text {
    char *out;
    size_t size, used;
    bool full;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *text, const char *format, ...) {
    if (text->full) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->out + text->used, text->size - text->used, format, arguments);
    va_end(arguments);
    text->full = length < 0 || (size_t)length >= text->size - text->used;
    text->used += text->full ? 0 : (size_t)length;
}

static void append_choices(struct text *text, const struct stoa_option *option, const char *between) {
    for (size_t i = 0; option->choices && option->choices[i]; i++) {
        append(text, "%s%s", i == 0 ? "" : between, option->choices[i]);
    }
}

void stoa_option_expected(const struct stoa_option *option, char *out, size_t size) {
    struct text text = {.out = out, .size = size};
    char lowest[32];
    char highest[32];
    switch (option->type) {
    case STOA_OPTION_SIZE:
    case STOA_OPTION_INT:
        append(&text, "a number from %.0f to %.0f", option->lowest, option->highest);
        break;
    case STOA_OPTION_PAIR:
        append(&text, "HxW or a number from %.0f to %.0f", option->lowest, option->highest);
        break;
    case STOA_OPTION_PADDING:
        append(&text, "same, same_lower, HxW, TOP,LEFT,BOTTOM,RIGHT or a number from %.0f to %.0f",
               option->lowest, option->highest);
        break;
    case STOA_OPTION_FLOAT:
    case STOA_OPTION_DOUBLE:
    case STOA_OPTION_FACTORS:
        stoa_format_float((float)option->lowest, lowest);
        stoa_format_float((float)option->highest, highest);
        append(&text, "%sa number from %s to %s", option->type == STOA_OPTION_FACTORS ? "HxW or " : "",
               lowest, highest);
        break;
    case STOA_OPTION_BOOL:
        append(&text, "true or false");
        break;
    case STOA_OPTION_CHOICE:
    case STOA_OPTION_WORD:
        append_choices(&text, option, " or ");
        break;
    case STOA_OPTION_SEED:
        append(&text, "a whole number from 0");
        break;
    case STOA_OPTION_BYTES:
        append(&text, "a number of bytes from 256K, such as 64M");
        break;
    case STOA_OPTION_TEXT:
        append(&text, "%s", option->choices ? "" : "text");
        append_choices(&text, option, " or ");
        break;
    case STOA_OPTION_LIST:
        stoa_format_float((float)option->lowest, lowest);
        stoa_format_float((float)option->highest, highest);
        append(&text, "up to %d numbers from %s to %s with commas between", STOA_LIST_MOST, lowest, highest);
        break;
    }
}

static bool read_size(const struct stoa_option *option, const char *text, size_t length, size_t *value) {
    return stoa_parse_size(text, length, value) && (double)*value >= option->lowest &&
           (double)*value <= option->highest;
}

/* "-3". */
static bool read_int(const struct stoa_option *option, const char *text, int64_t *value) {
    bool negative = text[0] == '-';
    size_t size;
    if (!stoa_parse_size(text + negative, strlen(text + negative), &size) || size > INT64_MAX) {
        return false;
    }
    *value = negative ? -(int64_t)size : (int64_t)size;
    return (double)*value >= option->lowest && (double)*value <= option->highest;
}

/* "5" or "5x3". */
static bool read_pair(const struct stoa_option *option, const char *text, size_t *height, size_t *width) {
    const char *cross = strchr(text, 'x');
    if (!cross) {
        bool good = read_size(option, text, strlen(text), height);
        *width = *height;
        return good;
    }
    return read_size(option, text, (size_t)(cross - text), height) &&
           read_size(option, cross + 1, strlen(cross + 1), width);
}

static const char *const same_words[] = {
    [STOA_PAD_SAME - 1] = "same", [STOA_PAD_SAME_LOWER - 1] = "same_lower", NULL};

/* "same", "5", "5x3" or "1,0,2,1". */
static bool read_padding(const struct stoa_option *option, const char *text, struct stoa_padding *padding) {
    *padding = (struct stoa_padding){.kind = STOA_PAD_GIVEN};
    for (int i = 0; same_words[i]; i++) {
        if (strcmp(text, same_words[i]) == 0) {
            padding->kind = (enum stoa_padding_kind)(i + 1);
            return true;
        }
    }
    if (!strchr(text, ',')) {
        bool good = read_pair(option, text, &padding->top, &padding->left);
        padding->bottom = padding->top;
        padding->right = padding->left;
        return good;
    }
    size_t *const sides[] = {&padding->top, &padding->left, &padding->bottom, &padding->right};
    for (size_t i = 0; i < 4; i++) {
        size_t length = strcspn(text, ",");
        if (!read_size(option, text, length, sides[i]) || (text[length] == '\0') != (i == 3)) {
            return false;
        }
        text += length + 1;
    }
    return true;
}

static bool read_double(const struct stoa_option *option, const char *text, size_t length, double *value) {
    return stoa_parse_double(text, length, value) && *value >= option->lowest && *value <= option->highest;
}

static bool read_float(const struct stoa_option *option, const char *text, size_t length, float *value) {
    STOA_FLOAT_STATE();
    double number;
    if (!read_double(option, text, length, &number) || fabs(number) > (double)FLT_MAX) {
        return false;
    }
    *value = (float)number;
    /* A number too small for a float must not become a silent zero. */
    return number == 0 || *value != 0;
}

/* "0.5" or "2x1.5". */
static bool read_factors(const struct stoa_option *option, const char *text, struct stoa_factors *factors) {
    size_t length = strcspn(text, "x");
    if (!read_float(option, text, length, &factors->height)) {
        return false;
    }
    factors->width = factors->height;
    return text[length] == '\0' ||
           read_float(option, text + length + 1, strlen(text + length + 1), &factors->width);
}

/* "1,0.5,2". */
static bool read_list(const struct stoa_option *option, const char *text, struct stoa_list *list) {
    for (list->count = 0; list->count < STOA_LIST_MOST;) {
        size_t length = strcspn(text, ",");
        if (!read_float(option, text, length, &list->value[list->count++])) {
            return false;
        }
        if (text[length] == '\0') {
            return true;
        }
        text += length + 1;
    }
    return false;
}

static bool read_choice(const struct stoa_option *option, const char *text, size_t *index) {
    for (size_t i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* "64M": a number of bytes with K, M, G or nothing behind it. */
static bool read_bytes(const char *text, size_t *bytes) {
    static const char units[] = "KMG";
    size_t length = strlen(text);
    const char *unit = length > 0 ? strchr(units, text[length - 1]) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    return stoa_parse_size(text, length - (unit != NULL), bytes) &&
           stoa_size_scale(bytes, (size_t)1 << shift) && *bytes >= (size_t)1 << 18;
}

static bool read_word(const struct stoa_option *option, const char *text, int *word) {
    size_t index = 0;
    bool good = read_choice(option, text, &index);
    *word = (int)index;
    return good;
}

bool stoa_option_read(const struct stoa_option *option, const char *text, void *options) {
    void *member = (char *)options + option->offset;
    struct stoa_pair pair = {0, 0};
    struct stoa_padding padding;
    size_t size = 0;
    float number = 0;
    double wide = 0;
    struct stoa_list list = {.count = 0};
    uint64_t seed = 0;
    int word = 0;
    int64_t whole = 0;
    struct stoa_factors factors;
    switch (option->type) {
    case STOA_OPTION_SIZE:
        return read_size(option, text, strlen(text), &size) && memcpy(member, &size, sizeof size);
    case STOA_OPTION_INT:
        return read_int(option, text, &whole) && memcpy(member, &whole, sizeof whole);
    case STOA_OPTION_PAIR:
        return read_pair(option, text, &pair.height, &pair.width) && memcpy(member, &pair, sizeof pair);
    case STOA_OPTION_FACTORS:
        return read_factors(option, text, &factors) && memcpy(member, &factors, sizeof factors);
    case STOA_OPTION_PADDING:
        return read_padding(option, text, &padding) && memcpy(member, &padding, sizeof padding);
    case STOA_OPTION_FLOAT:
        return read_float(option, text, strlen(text), &number) && memcpy(member, &number, sizeof number);
    case STOA_OPTION_DOUBLE:
        return read_double(option, text, strlen(text), &wide) && memcpy(member, &wide, sizeof wide);
    case STOA_OPTION_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return false;
        }
        *(bool *)member = text[0] == 't';
        return true;
    case STOA_OPTION_CHOICE:
        return read_choice(option, text, &size) && memcpy(member, &size, sizeof size);
    case STOA_OPTION_LIST:
        if (!read_list(option, text, &list)) {
            return false;
        }
        memcpy(member, &list, sizeof list);
        return true;
    case STOA_OPTION_SEED:
        return stoa_parse_u64(text, strlen(text), &seed) && memcpy(member, &seed, sizeof seed);
    case STOA_OPTION_BYTES:
        return read_bytes(text, &size) && memcpy(member, &size, sizeof size);
    case STOA_OPTION_WORD:
        return read_word(option, text, &word) && memcpy(member, &word, sizeof word);
    case STOA_OPTION_TEXT:
        return (!option->choices || read_choice(option, text, &size)) && memcpy(member, &text, sizeof text);
    }
    return false;
}

static bool is_option(const struct stoa_option *table, size_t count, const char *key) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, key) == 0) {
            return true;
        }
    }
    return false;
}

/* A table of options, for their names. */
struct option_table {
    const struct stoa_option *option;
    size_t count;
};

static const char *name_at(const void *from, size_t index) {
    const struct option_table *table = from;
    return index < table->count ? table->option[index].name : NULL;
}

static stoa_status fail_unknown(struct stoa_error *error, const struct stoa_option *option, size_t count,
                                const char *key) {
    const struct option_table table = {option, count};
    return stoa_error_unknown(error, "option", key, "", &(struct stoa_words){name_at, &table});
}

void stoa_option_expectation(const struct stoa_option *option, const char *found, char *out, size_t size) {
    static const char *const truths[] = {"true", "false", NULL}, *const none[] = {NULL};
    const char *const *words = option->choices                       ? option->choices
                               : option->type == STOA_OPTION_PADDING ? same_words
                               : option->type == STOA_OPTION_BOOL    ? truths
                                                                     : none;
    char near[STOA_NEAR_TEXT];
    const struct stoa_words names = stoa_words_of(words);
    int used = snprintf(out, size, "%s", stoa_near_text(found, &names, near));
    if (used > 0 && (size_t)used < size) {
        stoa_option_expected(option, out + used, size - (size_t)used);
    }
}

stoa_status stoa_options_read(struct stoa_error *error, const struct stoa_option *table, size_t count,
                              struct stoa_spec *spec, void *options) {
    for (size_t i = 0; i < spec->pairs; i++) {
        if (!spec->pair[i].used && !is_option(table, count, spec->pair[i].key)) {
            return fail_unknown(error, table, count, spec->pair[i].key);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const char *value = stoa_spec_take(spec, table[i].name);
        if (!value) {
            value = table[i].fallback;
        }
        char expected[256];
        if (value && *value == '\0') {
            continue;
        }
        if (!value) {
            stoa_option_expected(&table[i], expected, sizeof expected);
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "option '%s' is missing, expected %s",
                                  table[i].name, expected);
        }
        if (!stoa_option_read(&table[i], value, options)) {
            stoa_option_expectation(&table[i], value, expected, sizeof expected);
            return stoa_error_set(error, STOA_ERR_ARGUMENT, "option '%s': found '" WORD "'%s", table[i].name,
                                  value, expected);
        }
    }
    return STOA_OK;
}

bool stoa_options_describe(const struct stoa_option *table, size_t count, char *out, size_t size) {
    if (size == 0) {
        return false;
    }
    out[0] = '\0';
    struct text text = {.out = out, .size = size};
    for (size_t i = 0; i < count; i++) {
        append(&text, "%s%s", i == 0 ? "" : ", ", table[i].name);
        if (table[i].fallback && table[i].fallback[0] != '\0') {
            append(&text, "=%s", table[i].fallback);
        }
        if (table[i].type == STOA_OPTION_CHOICE) {
            append(&text, " (");
            append_choices(&text, &table[i], " or ");
            append(&text, ")");
        }
        if (!table[i].fallback) {
            append(&text, " (required)");
        }
    }
    return !text.full;
}
