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
_Static_assert(sizeof(stoa_resize) == sizeof(int), "words are ints");
_Static_assert(sizeof(stoa_layout) == sizeof(int) && sizeof(stoa_header) == sizeof(int), "words are ints");

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
