/* SPDX-License-Identifier: MIT */
/* The keys of data. */
#include "data/keys.h"

#include <string.h>

static const char *const normalize_words[] = {"given", "measured", NULL};
static const char *const weights_words[] = {"none", "measured", NULL};
static const char *const layout_words[] = {"auto", "nhwc", "nchw", NULL}; /* in the order of stoa_layout */
static const char *const header_words[] = {"auto", "yes", "no", NULL};    /* in the order of stoa_header */
static const char *const resize_words[] = {"none", "fit", "crop", "stretch",
                                           NULL}; /* in the order of stoa_resize */
static const char *const task_words[] = {"auto", "classes", "regression", "multilabel", NULL};
static const char *const missing_words[] = {"refuse", "drop", "mean", "median", "most_frequent", NULL};
static const char *const unknown_words[] = {"refuse", "zero", NULL};
static const char *const targets_words[] = {"given", "measured", NULL};
_Static_assert(sizeof(stoa_layout) == sizeof(int) && sizeof(stoa_resize) == sizeof(int) &&
                   sizeof(stoa_header) == sizeof(int) && sizeof(stoa_task) == sizeof(int) &&
                   sizeof(stoa_missing) == sizeof(int) && sizeof(stoa_unknown) == sizeof(int),
               "words are ints in the order of their enum");

/* Names of data sets become parts of paths, so only plain ones are taken. */
static stoa_status check_name(struct stoa_error *error, const char *text, void *parsed) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    (void)parsed;
    return text[0] != '.' && strspn(text, allowed) == strlen(text)
               ? STOA_OK
               : stoa_error_set(error, STOA_ERR_ARGUMENT,
                                "set: found '%.100s', expected a name of letters, digits, '_', '-' and '.'",
                                text);
}

#define KEY(name, type, member, fallback, lowest, highest, words, read, always, meaning)                     \
    {                                                                                                        \
        {name, STOA_OPTION_##type, offsetof(struct stoa_data_source, member), fallback, lowest, highest,     \
         words},                                                                                             \
            meaning, read, always                                                                            \
    }
#define AS_TEXT(number) #number
#define TEXT_OF(number) AS_TEXT(number)
#define NUMBER(name, type, member, fallback, lowest, highest, meaning)                                       \
    KEY(name, type, member, fallback, lowest, highest, NULL, NULL, false, meaning)
#define ALWAYS(name, type, member, fallback, lowest, highest, meaning)                                       \
    KEY(name, type, member, fallback, lowest, highest, NULL, NULL, true, meaning)
#define WORD(name, member, words, meaning) KEY(name, WORD, member, "", 0, 0, words, NULL, false, meaning)
#define TEXT(name, member, read, meaning) KEY(name, TEXT, member, "", 0, 0, NULL, read, false, meaning)

static const struct stoa_key keys[] = {
    TEXT("set", set, check_name, "the file or folder, found where recipes are"),
    ALWAYS("classes", SIZE, options.classes, "10", 1, 1e6, "how many classes there are"),
    ALWAYS("mean", FLOAT, mean, "0", -1e6, 1e6, "taken from every value"),
    ALWAYS("deviation", FLOAT, deviation, "1", 1e-6, 1e6, "values without their mean are divided by it"),
    WORD("normalize", normalize, normalize_words,
         "whether mean and deviation are given, or measured on the training data a channel at a time"),
    TEXT("label", options.label, NULL,
         "the label's column of a table, by name or by number from 1; of CIFAR-100 coarse or fine"),
    WORD("task", options.task, task_words,
         "what is to be learned: classes, or targets, which are numbers or labels that are 0 or 1"),
    TEXT("target", options.target, NULL,
         "the columns of a table that are targets, by names or numbers from 1"),
    WORD("normalize_targets", normalize_targets, targets_words,
         "whether targets are learned as they are, or scaled by what is measured on the training data"),
    TEXT("ignore", options.ignore, NULL, "columns of a table that are left out"),
    TEXT("only", options.only, NULL, "the columns of a table that are inputs; the others are left out"),
    TEXT("categories", options.categories, NULL,
         "input columns of a table whose texts become one value each"),
    TEXT("dates", options.dates, NULL, "input columns of a table whose dates become days since 1970"),
    WORD("missing", options.missing, missing_words, "what becomes of lines of a table that lack a value"),
    WORD("unknown", options.unknown, unknown_words,
         "what becomes of categories that the training data do not have"),
    WORD("header", options.header, header_words, "whether a table begins with a line of names"),
    WORD("layout", options.layout, layout_words, "the order of colour in arrays and tables"),
    WORD("resize", options.resize, resize_words, "how pictures of any size are brought to that of the input"),
    NUMBER("test", FLOAT, options.test, TEXT_OF(STOA_DEFAULT_TEST_SHARE), 1e-3, 0.999,
           "share of each class that becomes the test part of data without one"),
    NUMBER("split_seed", SEED, options.seed, "", 0, 0, "which samples those are, and which digits are drawn"),
    NUMBER("samples", SIZE, options.samples, TEXT_OF(STOA_DEFAULT_DIGITS), 10, 1e6,
           "how many digits are drawn"),
    NUMBER("memory", BYTES, options.memory, "", 0, 0,
           "bytes of samples to hold in memory; larger plain files stay on disk"),
    WORD("weights", weights, weights_words,
         "whether the loss weighs rare classes up, as measured on the training data"),
};

const struct stoa_keys stoa_data_keys = {.key = keys, .count = sizeof keys / sizeof keys[0]};

bool stoa_data_is_scale(const struct stoa_key *key) {
    return key->option.offset == offsetof(struct stoa_data_source, mean) ||
           key->option.offset == offsetof(struct stoa_data_source, deviation);
}
