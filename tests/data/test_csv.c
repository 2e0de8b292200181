/* SPDX-License-Identifier: MIT */
/* Data sets from tables: what the text says is what is read, in any locale, and every mistake has its
 * line. */
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "csv_text.h"
#include "scratch_context.h"

static stoa_dataset *read_good(const char *text, const stoa_data_options *options) {
    stoa_dataset *dataset = NULL;
    if (read_csv_text(context, text, options, &dataset) != STOA_OK) {
        fail_msg("%s: %s", text, stoa_context_error(context));
    }
    return dataset;
}

static void expect(stoa_dataset *dataset, size_t count, size_t values, const float *wanted,
                   const int32_t *wanted_labels) {
    float out[64];
    int32_t labels[32];
    size_t height, width, channels;
    assert_non_null(dataset);
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_int_equal(height * width * channels, values);
    if (stoa_dataset_count(dataset) != count) {
        fail_msg("%zu samples, expected %zu", stoa_dataset_count(dataset), count);
    }
    stoa_dataset_read(dataset, NULL, 0, count, out, labels);
    for (size_t i = 0; i < count * values; i++) {
        assert_true(out[i] == wanted[i]);
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(labels[i], wanted_labels[i]);
    }
    stoa_dataset_free(dataset);
}

static const float four[] = {1.5F, -2, 3e-3F, 4};
static const int32_t classes[] = {1, 0};

/* The same table in many spellings. */
static void reads_any_spelling(void **state) {
    (void)state;
    static const char *const spellings[] = {
        "1.5,-2,1\n0.003,4,0\n",
        "1.5,-2,1\r\n3e-3,4,0",
        "\xEF\xBB\xBF 1.5 ,\t-2 , 1\n\n  \n.003,4.,0\n\n",
        "\"1.5\",\"-2\",\"1\"\n\"0.003\" , \"4\",0\r\n",
        "a,b,class\n1.5,-2,1\n3.0E-3,+4,0\n",
        "\"a,\"\"b\"\"\",\"two\nlines\",class\r\n1.5,-2,1\r\n0.003,4,0\r\n",
    };
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        expect(read_good(spellings[i], NULL), 2, 2, four, classes);
    }
}

static void finds_the_label(void **state) {
    (void)state;
    expect(read_good("1,1.5,-2\n0,3e-3,4\n", &(stoa_data_options){.label = "1"}), 2, 2, four, classes);
    expect(read_good("a,kind,b\n1.5,1,-2\n3e-3,0,4\n", &(stoa_data_options){.label = "kind"}), 2, 2, four,
           classes);
    expect(read_good("a,kind,b\n1.5,1,-2\n3e-3,0,4\n", &(stoa_data_options){.label = "2"}), 2, 2, four,
           classes);
    /* A column whose name is a number goes before the column of this number. */
    expect(read_good("1,2,3\n-2,1,1.5\n4,0,3e-3\n",
                     &(stoa_data_options){.label = "2", .header = STOA_HEADER_YES}),
           2, 2, (const float[]){-2, 1.5F, 4, 3e-3F}, classes);
    expect(read_good("1.5,-2,1\n3e-3,4,0\n", &(stoa_data_options){.header = STOA_HEADER_NO}), 2, 2, four,
           classes);
    expect(read_good("9,9,9\n1.5,-2,1\n3e-3,4,0\n", &(stoa_data_options){.header = STOA_HEADER_YES}), 2, 2,
           four, classes);
    /* Names in the label's column do not make a header. */
    expect(read_good("1.5,-2,x\n3e-3,4,a\n", NULL), 2, 2, four, classes);
}

static void names_classes(void **state) {
    (void)state;
    const float ones[] = {1, 1, 1, 1};
    stoa_dataset *dataset = read_good("1,tea\n1,\"a, \"\"b\"\"\"\n1,coffee\n1,tea\n", NULL);
    assert_int_equal(stoa_dataset_classes(dataset), 3);
    assert_string_equal(stoa_dataset_class_name(dataset, 0), "a, \"b\"");
    assert_string_equal(stoa_dataset_class_name(dataset, 1), "coffee");
    assert_string_equal(stoa_dataset_class_name(dataset, 2), "tea");
    assert_null(stoa_dataset_class_name(dataset, 3));
    assert_string_equal(stoa_dataset_format(dataset), "csv");
    expect(dataset, 4, 1, ones, (const int32_t[]){2, 0, 1, 2});
    /* Numbers that are no classes' numbers are names, in the order of numbers. */
    dataset = read_good("1,10\n1,2\n1,1\n1,2\n", &(stoa_data_options){.classes = 3});
    assert_string_equal(stoa_dataset_class_name(dataset, 2), "10");
    expect(dataset, 4, 1, ones, (const int32_t[]){2, 1, 0, 1});
    dataset = read_good("1,3\n1,1\n", NULL);
    assert_int_equal(stoa_dataset_classes(dataset), 4);
    assert_null(stoa_dataset_class_name(dataset, 0));
    stoa_dataset_free(dataset);
    /* Numbers of classes that were saved among floats. */
    dataset = read_good("1,2.000000000000000000e+00\n1,1.0e+01\n1,0.0\n1,-0.0\n",
                        &(stoa_data_options){.classes = 11});
    assert_null(stoa_dataset_class_name(dataset, 0));
    expect(dataset, 4, 1, ones, (const int32_t[]){2, 10, 0, 0});
    dataset = read_good("1,20.0\n1,1.0e+02\n1,3e0\n1,20.0\n", &(stoa_data_options){.classes = 3});
    assert_string_equal(stoa_dataset_class_name(dataset, 2), "1.0e+02");
    expect(dataset, 4, 1, ones, (const int32_t[]){1, 2, 0, 1});
    dataset = read_good("1,0.5\n1,1.5\n", NULL);
    assert_string_equal(stoa_dataset_class_name(dataset, 1), "1.5");
    stoa_dataset_free(dataset);
    /* Given names keep their order and need not all appear. */
    const char *const names[] = {"z", "y", "x"};
    dataset = read_good("1,x\n1,z\n", &(stoa_data_options){.names = names, .name_count = 3, .classes = 3});
    assert_int_equal(stoa_dataset_classes(dataset), 3);
    expect(dataset, 2, 1, ones, (const int32_t[]){2, 0});
}

static void takes_the_shape(void **state) {
    (void)state;
    size_t height, width, channels;
    stoa_dataset *dataset =
        read_good("1,2,3,4,5,6,0\n", &(stoa_data_options){.height = 3, .width = 2, .channels = 1});
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_true(height == 3 && width == 2 && channels == 1);
    stoa_dataset_free(dataset);
    dataset = read_good("1,2,3,4,5,0\n", &(stoa_data_options){.height = 3, .width = 2, .channels = 1});
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_true(height == 1 && width == 1 && channels == 5);
    stoa_dataset_free(dataset);
}

static void reads_without_labels(void **state) {
    (void)state;
    const int32_t zeros[] = {0, 0};
    const stoa_data_options two = {.height = 1, .width = 1, .channels = 2, .unlabelled = true};
    expect(read_good("1.5,-2\n3e-3,4\n", &two), 2, 2, four, zeros);
    expect(read_good("a,b\n1.5,-2\n3e-3,4\n", &two), 2, 2, four, zeros);
    expect(read_good("1.5,-2,anything\n3e-3,4,at all\n", &two), 2, 2, four, zeros);
    expect(read_good("1.5,-2\n3e-3,4\n", &(stoa_data_options){.unlabelled = true}), 2, 2, four, zeros);
}

#define MISSING_VALUE(found)                                                                                 \
    "t:2: column 2: found '" found                                                                           \
    "', a missing value, expected one; missing = mean, median or most_frequent "                             \
    "in [data] fills it, missing = drop leaves such lines out"

static void refuses(void **state) {
    (void)state;
    const char *const names[] = {"a", "b"};
    const stoa_data_options two = {.classes = 2}, named = {.names = names, .name_count = 2},
                            label = {.label = "kind"}, third = {.label = "3"}, zeroth = {.label = "0"};
    char sentence[600];
    const struct {
        const char *text;
        const stoa_data_options *options;
        stoa_status status;
        const char *sentence;
    } bad[] = {
        {"", NULL, STOA_ERR_FORMAT, "t:1: holds no lines, expected at least one"},
        {"\n\r\n", NULL, STOA_ERR_FORMAT, "t:1: holds no lines, expected at least one"},
        {"a,b\n", NULL, STOA_ERR_FORMAT, "t:2: holds a header only, expected samples below"},
        {"1\n2\n", NULL, STOA_ERR_FORMAT,
         "t:1: found 1 column, expected values and a label, with commas, semicolons or tabs between them"},
        {"1,2,0\n\n1,2\n", NULL, STOA_ERR_FORMAT, "t:3: found 2 columns, expected 3 as in the first line"},
        {"1,2,0\n1,2,3,0\n", NULL, STOA_ERR_FORMAT, "t:2: found 4 columns, expected 3 as in the first line"},
        {"a,b,c\n1,\"2\n\n\",0\n1\n", NULL, STOA_ERR_FORMAT,
         "t:5: found 1 column, expected 3 as in the first line"},
        {"1,2,0\n1,x,0\n", NULL, STOA_ERR_FORMAT,
         "t:2: column 2: found 'x', expected a finite number; categories in [data] makes texts inputs, "
         "ignore leaves the "
         "column out"},
        {"1,2,0\n1,,0\n", NULL, STOA_ERR_FORMAT,
         "t:2: column 2: found '', a missing value, expected one; missing = mean, median or "
         "most_frequent in [data] fills it, missing = drop leaves such lines out"},
        {"1,2,0\n1,nan,0\n", NULL, STOA_ERR_FORMAT,
         "t:2: column 2: found 'nan', a missing value, expected one; missing = mean, median or "
         "most_frequent in [data] fills it, missing = drop leaves such lines out"},
        {"1,2,0\n1,-inf,0\n", NULL, STOA_ERR_FORMAT, "t:2: column 2: found '-inf', expected a finite number"},
        {"1,2,0\n1,1e39,0\n", NULL, STOA_ERR_FORMAT, "t:2: column 2: found '1e39', expected a finite number"},
        {"1,2,0\n1,0x10,0\n", NULL, STOA_ERR_FORMAT, "t:2: column 2: found '0x10', expected a finite number"},
        {"1,2,0\n\"1,500\",2,0\n", NULL, STOA_ERR_FORMAT,
         "t:2: column 1: found '1,500', expected a finite number, with a point: the comma may be that, or a "
         "mark "
         "between thousands"},
        {"1,2,0\n1,\"2,0\n", NULL, STOA_ERR_FORMAT, "t:2: column 2: found no closing quote, expected one"},
        {"1,2,0\n1,\"2\"3,0\n", NULL, STOA_ERR_FORMAT,
         "t:2: column 2: found text behind a closing quote, expected quotes around the whole field, doubled "
         "within"},
        {"1,2,0\n1,2\",0\n", NULL, STOA_ERR_FORMAT,
         "t:2: column 2: found a quote inside a field, expected quotes around the whole field, doubled "
         "within"},
        {"1,2,\n", NULL, STOA_ERR_FORMAT, "t:1: the label is empty"},
        {"1,x\n1,y\n1,z\n", &two, STOA_ERR_FORMAT,
         "t:3: found the label 'z', a new one after 2 others, expected 2 classes"},
        {"1,x\n1,x\n", &two, STOA_ERR_FORMAT,
         "t: holds 1 different labels, among them 'x', expected 2 classes"},
        {"1,a\n1,c\n", &named, STOA_ERR_FORMAT,
         "t:2: found the label 'c', expected one of 2 classes such as 'a'"},
        {"a,b\n1,0\n", &label, STOA_ERR_ARGUMENT,
         "t:1: has no column 'kind' for the label, expected a name of the first line or a number from 1 to "
         "2"},
        {"a,b\n1,0\n", &third, STOA_ERR_ARGUMENT,
         "t:1: has no column '3' for the label, expected a name of the first line or a number from 1 to 2"},
        {"a,b\n1,0\n", &zeroth, STOA_ERR_ARGUMENT,
         "t:1: has no column '0' for the label, expected a name of the first line or a number from 1 to 2"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        stoa_dataset *dataset = NULL;
        assert_int_equal(read_csv_text(context, bad[i].text, bad[i].options, &dataset), bad[i].status);
        assert_string_equal(stoa_context_error(context), bad[i].sentence);
        assert_null(dataset);
        /* The same from a file, which is named. */
        const char *path = scratch_write(&scratch, "t", bad[i].text, strlen(bad[i].text));
        assert_int_equal(stoa_dataset_open_csv(context, path, bad[i].options, &dataset), bad[i].status);
        (void)snprintf(sentence, sizeof sentence, "%s%s", path, bad[i].sentence + 1);
        assert_string_equal(stoa_context_error(context), sentence);
        assert_null(dataset);
    }
    stoa_dataset *dataset = NULL;
    assert_int_equal(stoa_dataset_from_csv_memory(context, "t", "1\0,2", 4, NULL, &dataset), STOA_ERR_FORMAT);
    assert_string_equal(stoa_context_error(context), "t: found a zero byte at offset 1, expected text");
    assert_int_equal(stoa_dataset_open_csv(context, scratch_path(&scratch, "none"), NULL, &dataset),
                     STOA_ERR_NOT_FOUND);
}

/* The host program's locale is its own affair. */
static void reads_in_any_locale(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    bool found = false;
    for (size_t i = 0; !found && i < sizeof names / sizeof names[0]; i++) {
        found = setlocale(LC_ALL, names[i]) && strcmp(localeconv()->decimal_point, ",") == 0;
    }
    if (found) {
        expect(read_good("1.5,-2,1\n3.0e-3,4.0000000000000000000,0\n", NULL), 2, 2, four, classes);
        stoa_dataset *dataset = NULL;
        assert_int_equal(read_csv_text(context, "1,2,0\n1,\"2,5\",0\n", NULL, &dataset), STOA_ERR_FORMAT);
        assert_string_equal(stoa_context_error(context),
                            "t:2: column 2: found '2,5', expected a finite number");
    }
    (void)setlocale(LC_ALL, "C");
    if (!found) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_any_spelling),   TEST(finds_the_label), TEST(names_classes),       TEST(takes_the_shape),
        TEST(reads_without_labels), TEST(refuses),         TEST(reads_in_any_locale),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
