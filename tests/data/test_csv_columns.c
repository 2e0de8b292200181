/* SPDX-License-Identifier: MIT */
/* Which columns of a table are values, and which one is the label: headers of names and of numbers, row
 * numbers, columns found by name, and what separates fields. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/data.h>
#include <string.h>

#include "../base/cmocka_prelude.h"
#include "csv_text.h"
#include "noted_context.h"

/* A table, and what is read of it: "1 2:0;3 4:1" are two samples of two values and their classes. */
static void expect(const char *text, const stoa_data_options *options, const char *wanted) {
    char found[400] = "";
    size_t used = 0, height, width, channels;
    float out[64];
    int32_t label;
    stoa_dataset *dataset = NULL;
    if (read_csv_text(context, text, options, &dataset) != STOA_OK) {
        fail_msg("%s: %s", text, stoa_context_error(context));
    }
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_true(channels <= 64);
    for (size_t i = 0; i < stoa_dataset_count(dataset); i++) {
        stoa_dataset_read(dataset, NULL, i, 1, out, &label);
        for (size_t j = 0; j < height * width * channels; j++) {
            used += (size_t)snprintf(found + used, sizeof found - used, "%s%g",
                                     j   ? " "
                                     : i ? ";"
                                         : "",
                                     (double)out[j]);
        }
        used += (size_t)snprintf(found + used, sizeof found - used, ":%d", (int)label);
    }
    stoa_dataset_free(dataset);
    if (strcmp(found, wanted) != 0) {
        fail_msg("%s\nread as %s, expected %s", text, found, wanted);
    }
}

static void refuse(const char *text, const stoa_data_options *options, const char *sentence) {
    stoa_dataset *dataset = NULL;
    assert_int_not_equal(read_csv_text(context, text, options, &dataset), STOA_OK);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_null(dataset);
}

static void take_note(const char *wanted) {
    assert_string_equal(notes, wanted);
    notes[0] = '\0';
}

#define NUMBERED                                                                                             \
    "t:1: numbers that count the columns are taken for a header; header = no in [data] makes them a "        \
    "sample\n"
#define FILLS                                                                                                \
    "missing = mean, median or most_frequent in [data] fills it, missing = drop leaves such lines out"
#define INDEX "t:1: column 1 has no name: taken for row numbers, an index, and passed over\n"

/* As pandas writes columns without names. */
static void reads_headers_of_numbers(void **state) {
    (void)state;
    const stoa_data_options first = {.label = "1"}, no = {.header = STOA_HEADER_NO},
                            by_number = {.label = "5"};
    expect("0,1,2,3,4\n5,6,7,8,0\n6,5,8,7,1\n", NULL, "5 6 7 8:0;6 5 8 7:1");
    take_note(NUMBERED);
    expect("0,1,2,3,4\n0,6,7,8,5\n1,5,8,7,6\n", &first, "6 7 8 5:0;5 8 7 6:1");
    take_note(NUMBERED);
    expect("1,2,3,4,5\n9,6,7,8,1\n", &by_number, "9 6 7 8:1");
    take_note(NUMBERED);
    expect("0,1,2\n0.5,6,0\n1.5,5,1\n", NULL, "0.5 6:0;1.5 5:1");
    take_note(NUMBERED);
    expect("0,1,kind\n0.5,6,0\n1.5,5,1\n", NULL, "0.5 6:0;1.5 5:1");
    take_note(NUMBERED);
    expect("\"0\",\"1\",\"2\"\n0.5,6,0\n", NULL, "0.5 6:0");
    take_note(NUMBERED);
    expect(",0,1,2\n0,0.5,6,0\n1,1.5,5,1\n", NULL, "0.5 6:0;1.5 5:1");
    take_note(INDEX NUMBERED);
    expect("0,1,2\n0.5,6,0\n", &(stoa_data_options){.header = STOA_HEADER_YES}, "0.5 6:0");
    take_note("");
    /* Samples, each of them. */
    expect("0,1,2,3,4\n5,6,7,8,0\n", &no, "0 1 2 3:4;5 6 7 8:0");
    expect("0,1\n1,0\n", NULL, "0:1;1:0");
    expect("0,1,1\n1,1,0\n", NULL, "0 1:1;1 1:0");
    expect("0,1,2\n1,1,0\n", NULL, "0 1:2;1 1:0");
    expect("0,1,2,3,4\n1,2,3,4,5\n", NULL, "0 1 2 3:4;1 2 3 4:5");
    expect("2,3,4,5,6\n0.5,1,1,1,5\n", NULL, "2 3 4 5:6;0.5 1 1 1:5");
    expect("0,2,4,6,8\n1,1,1,1,5\n", NULL, "0 2 4 6:8;1 1 1 1:5");
    expect("1,2,3,4,5\n", &(stoa_data_options){.unlabelled = true}, "1 2 3 4 5:0");
    take_note("");
}

static void passes_row_numbers_over(void **state) {
    (void)state;
    expect(",a,b,kind\n7,5,6,0\n3,8,7,1\n", NULL, "5 6:0;8 7:1");
    take_note(INDEX);
    expect("\"\",a,b,kind\n\"1\",5,6,0\n", &(stoa_data_options){.label = "kind"}, "5 6:0");
    take_note(INDEX);
    expect("Unnamed: 0,a,b,kind\n7,5,6,0\n", &(stoa_data_options){.label = "4"}, "5 6:0");
    take_note(INDEX);
    const stoa_data_options two = {.height = 1, .width = 1, .channels = 2, .unlabelled = true};
    expect(",a,b\n7,5,6\n3,8,7\n", &two, "5 6:0;8 7:0");
    take_note(INDEX);
    expect(",a,b,kind\n7,5,6,x\n", &two, "5 6:0");
    take_note(INDEX);
    /* The label may have no name, and a table without a header no names at all. */
    expect(",a,b\n0,5,6\n1,8,7\n", &(stoa_data_options){.label = "1"}, "5 6:0;8 7:1");
    refuse(",1,2\n,5,6\n", NULL,
           "t:1: column 1: found '', a missing value, expected one; " FILLS
           "; header = yes where this line holds names");
}

static const char *const inputs[] = {"width", "height", "1"};
static const stoa_data_options by_name = {.columns = inputs, .column_count = 3, .label_column = "kind"};

static void finds_columns_by_name(void **state) {
    (void)state;
    stoa_data_options options = by_name, alone = by_name;
    alone.unlabelled = true;
    expect("width,height,1,kind\n1,2,3,0\n", &by_name, "1 2 3:0");
    expect("kind,1,height,width\n0,3,2,1\n1,6,5,4\n", &by_name, "1 2 3:0;4 5 6:1");
    expect(",1,height,width,kind\n9,3,2,1,1\n", &by_name, "1 2 3:1");
    take_note("");
    expect("id,kind,1,note,height,width\n7,1,3,x,2,1\n", &by_name, "1 2 3:1");
    take_note(
        "t:1: 2 columns, the first of them column 1, are no inputs of the model and not its label: passed "
        "over\n");
    expect("kind,1,note,height,width\n1,3,x,2,1\n", &by_name, "1 2 3:1");
    take_note("t:1: column 3 is no input of the model and not its label: passed over\n");
    options.ignore = "note, id";
    expect("id,kind,1,note,height,width\n7,1,3,x,2,1\n", &options, "1 2 3:1");
    take_note("");
    options = by_name;
    expect("1,height,width\n3,2,1\n", &alone, "1 2 3:0");
    expect("any,1,height,width\nx,3,2,1\n", &alone, "1 2 3:0");
    /* A label of another name, where only one is left; and the one that is asked for. */
    expect("height,sort,width,1\n2,1,1,3\n", &by_name, "1 2 3:1");
    options.label = "sort";
    expect("kind,height,sort,width,1\n5,2,1,1,3\n", &options, "1 2 3:1");
    /* Without a header columns count as they stand. */
    expect("1,2,3,0\n", &by_name, "1 2 3:0");
    options = by_name;
    options.header = STOA_HEADER_NO;
    expect("1,2,3,0\n", &options, "1 2 3:0");
    refuse("width,depth,1,kind\n1,2,3,0\n",
           &(stoa_data_options){.columns = inputs, .column_count = 3, .header = STOA_HEADER_YES},
           "t:1: has no column 'height', expected one: the training data had it as number 2 of 3 inputs");
    refuse("width,depth,one,kind\n1,2,3,0\n", &by_name,
           "t:1: has no column 'height', expected one: the training data had it as number 2 of 3 inputs");
    refuse("width,height,one,width,kind\n1,2,3,4,0\n", &by_name,
           "t:1: has more than one column 'width', expected one: the training data had it as number 1 of 3 "
           "inputs");
    refuse("a,width,height,1,b\n1,1,2,3,0\n", &by_name,
           "t:1: has no column 'kind' for the label, expected it among the columns that are no inputs, of "
           "which there are 2");
    refuse("width,height,1\n1,2,3\n", &by_name,
           "t:1: has no column 'kind' for the label, expected it among the columns that are no inputs, of "
           "which there are 0");
}

static void tells_names(void **state) {
    (void)state;
    static const struct {
        const char *text, *label, *columns[3];
    } tables[] = {
        {"a,kind,b\n1,0,2\n", "kind", {"a", "b", NULL}},    {"1,2,0\n", NULL, {NULL}},
        {",a,b,kind\n1,1,2,0\n", "b", {"a", "kind", NULL}}, {"a,a,b\n1,1,0\n", "a", {NULL}},
        {"0,1,2\n1.5,1,0\n", "1", {"0", "2", NULL}},
    };
    const stoa_data_options options[] = {{.label = "2"}, {.label = "3"}};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        stoa_dataset *dataset = NULL;
        assert_int_equal(read_csv_text(context, tables[i].text, &options[i == 2], &dataset), STOA_OK);
        const char *label = stoa_dataset_label_name(dataset);
        assert_true((label == NULL) == (tables[i].label == NULL));
        assert_true(!label || strcmp(label, tables[i].label) == 0);
        for (size_t c = 0; c < 3; c++) {
            const char *name = stoa_dataset_column_name(dataset, c), *wanted = tables[i].columns[c];
            if ((name == NULL) != (wanted == NULL) || (name && wanted && strcmp(name, wanted) != 0)) {
                fail_msg("%s: column %zu is '%s'", tables[i].text, c, name ? name : "NULL");
            }
            if (!wanted) {
                break;
            }
        }
        stoa_dataset_free(dataset);
    }
}

static void tells_separators(void **state) {
    (void)state;
    expect("a;b;kind\n1;2;0\n3.5; 4 ;1\n", NULL, "1 2:0;3.5 4:1");
    take_note("t: fields are separated by ';'\n");
    expect("a\tb\tkind\n1\t2\t0\n3.5\t 4\t1\n", NULL, "1 2:0;3.5 4:1");
    take_note("t: fields are separated by tabs\n");
    expect("\n \n\"a,b\";b;\"k\n,d\"\n1;2;0\n", NULL, "1 2:0");
    take_note("t: fields are separated by ';'\n");
    expect("1,2,a;b\n3,4,c\td\n", NULL, "1 2:0;3 4:1");
    take_note("");
    refuse("1,2,0\n1;5,2,0\n", NULL,
           "t:2: column 1: found '1;5', expected a finite number; ',' separates the fields here, as in the "
           "first line");
    refuse("1 2 0\n", NULL,
           "t:1: found 1 column, expected values and a label, with commas, semicolons or tabs between them");
    refuse("1\t\t0\n", NULL,
           "t:1: column 2: found '', a missing value, expected one; " FILLS
           "; header = yes where this line holds names");
}

/* Lines below the first tell where that one has several. */
static void tells_separators_by_lines(void **state) {
    (void)state;
    expect("size, m;price, EUR;kind\n1;2;0\n3.5;4;1\n", NULL, "1 2:0;3.5 4:1");
    take_note("t: fields are separated by ';'\n");
    expect("size, m\tprice; EUR\tkind\n1\t2\t0\n\n3.5\t4\t1\n", NULL, "1 2:0;3.5 4:1");
    take_note("t: fields are separated by tabs\n");
    expect("\"a;b\";\"c\n;,d\";kind\r\n1;\"2\";0\r\n", NULL, "1 2:0");
    take_note("t: fields are separated by ';'\n");
    expect("a;1,b;2,kind\n1,2,0\n", NULL, "1 2:0");
    take_note("");
    /* One line with another number of fields is an error of that line, by the first line's separator. */
    refuse("a,b;c,kind\n1,2,0\n1,2\n", NULL, "t:3: found 2 columns, expected 3 as in the first line");
}

static void tells_decimal_commas(void **state) {
    static const char said[] = "t: fields are separated by ';', and numbers have a decimal comma\n";
    (void)state;
    expect("a;b;kind\n1;2,5;0\n-3,25;4;1\n", NULL, "1 2.5:0;-3.25 4:1");
    take_note(said);
    expect("1,5;2,25;0\n3,125;4,5e1;1\n", NULL, "1.5 2.25:0;3.125 45:1");
    take_note(said);
    expect("a;b;kind\n 0,125 ;12,345;0\n", NULL, "0.125 12.345:0");
    take_note(said);
    expect("a;b;kind\n1234,125;1;0\n", NULL, "1234.12 1:0");
    take_note(said);
    expect("a,b,kind\n\"1,5\",2,0\n", NULL, "1.5 2:0");
    take_note("t: fields are separated by ',', and numbers have a decimal comma\n");
    refuse(
        "a;b;kind\n1;12,345;0\n", NULL,
        "t:2: column 2: found '12,345', expected a finite number, with a point: the comma may be that, or a "
        "mark between thousands");
    notes[0] = '\0';
    refuse(
        "a;b;kind\n1.5;2,5;0\n", NULL,
        "t:2: column 2: found '2,5', expected a finite number, with a point, as other numbers of this table "
        "have it");
    notes[0] = '\0';
    refuse("a;b;kind\n2,5;1.234,5;0\n", NULL,
           "t:2: column 2: found '1.234,5', expected a finite number, with a point; ';' separates the fields "
           "here");
    notes[0] = '\0';
    refuse(
        "a;b;kind\n2,5;1,;0\n", NULL,
        "t:2: column 2: found '1,', expected a finite number, with a point; ';' separates the fields here");
    notes[0] = '\0';
}

/* A name that the first line almost has is told. */
static void tells_nearest_names(void **state) {
    static const char table[] = "area,rooms,price\n1,2,3\n";
    static const char *const wrong[] = {"aera", "rooms"};
    static const struct {
        stoa_data_options options;
        const char *sentence;
    } cases[] = {
        {{.task = STOA_TASK_REGRESSION, .target = "pirce"},
         "t:1: has no column 'pirce' for target, did you mean 'price'? Expected a name of the first line or "
         "a "
         "number from 1 to 3"},
        {{.task = STOA_TASK_REGRESSION, .ignore = "romms"},
         "t:1: has no column 'romms' for ignore, did you mean 'rooms'? Expected a name of the first line or "
         "a "
         "number from 1 to 3"},
        {{.task = STOA_TASK_REGRESSION, .only = "Area"},
         "t:1: has no column 'Area' for only, did you mean 'area'? Expected a name of the first line or a "
         "number from 1 to 3"},
        {{.task = STOA_TASK_REGRESSION, .categories = "room"},
         "t:1: has no column 'room' for categories, did you mean 'rooms'? Expected a name of the first line "
         "or "
         "a number from 1 to 3"},
        {{.task = STOA_TASK_REGRESSION, .dates = "ares"},
         "t:1: has no column 'ares' for dates, did you mean 'area'? Expected a name of the first line or a "
         "number from 1 to 3"},
        {{.label = "pric"},
         "t:1: has no column 'pric' for the label, did you mean 'price'? Expected a name of the first line "
         "or "
         "a number from 1 to 3"},
        {{.label = "colour"},
         "t:1: has no column 'colour' for the label, expected a name of the first line or a number from 1 to "
         "3"},
        {{.columns = wrong, .column_count = 2, .unlabelled = true},
         "t:1: has no column 'aera', did you mean 'area'? Expected one: the training data had it as number 1 "
         "of 2 inputs"},
        {{.columns = wrong + 1, .column_count = 1, .task = STOA_TASK_REGRESSION, .target = "pirce"},
         "t:1: has no column 'pirce' for target 1, did you mean 'price'? Expected one beside the inputs"},
        {{.columns = wrong + 1, .column_count = 1, .label_column = "prize"},
         "t:1: has no column 'prize' for the label, did you mean 'price'? Expected it among the columns that "
         "are no inputs, of which there are 2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refuse(table, &cases[i].options, cases[i].sentence);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_headers_of_numbers), TEST(passes_row_numbers_over),
        TEST(finds_columns_by_name),    TEST(tells_names),
        TEST(tells_separators),         TEST(tells_separators_by_lines),
        TEST(tells_decimal_commas),     TEST(tells_nearest_names),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
