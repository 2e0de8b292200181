/* SPDX-License-Identifier: MIT */
/* Data sets from folders of pictures: what is in them is read, refused or named, never passed over in
 * silence. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "picture_folders.h"

enum { HEIGHT = 2, WIDTH = 3 };

/* The library's readdir(): fails once so many entries were read, as a network's folder may. */
static size_t entries_left = SIZE_MAX;

#ifdef __USE_FILE_OFFSET64
#define READDIR "readdir64"
#else
#define READDIR "readdir"
#endif

/* The system's declaration names its parameter as it likes.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
struct dirent *readdir(DIR *folder) {
    static struct dirent *(*next)(DIR *);
    if (!next) {
        *(void **)&next = dlsym(RTLD_NEXT, READDIR);
    }
    if (entries_left == 0) {
        errno = EIO;
        return NULL;
    }
    entries_left--;
    return next(folder);
}

static void make_set(void) {
    static const char *const names[] = {"10/a.png", "10/b.PNG", "2/z.png", "9/c.png", "9/d.png"};
    make_folder("10");
    make_folder("2");
    make_folder("9");
    for (size_t i = 0; i < 5; i++) {
        (void)write_picture(names[i], HEIGHT, WIDTH, (uint8_t)(51 * i), false);
    }
    (void)scratch_write(&scratch, "2/notes.txt", "x", 1);
    (void)scratch_write(&scratch, "README", "x", 1);
}

static void reads_in_sorted_order(void **state) {
    (void)state;
    static const char *const names[] = {"2", "9", "10"};
    static const float wanted[] = {0.4F, 0.6F, 0.8F, 0, 0.2F};
    static const int32_t classes[] = {0, 1, 1, 2, 2};
    size_t height, width, channels;
    float out[5 * HEIGHT * WIDTH];
    int32_t labels[5];
    stoa_dataset *dataset = NULL;
    make_set();
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, NULL, &dataset), STOA_OK);
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_true(height == HEIGHT && width == WIDTH && channels == 1);
    assert_int_equal(stoa_dataset_count(dataset), 5);
    assert_string_equal(stoa_dataset_format(dataset), "pictures");
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(stoa_dataset_class_name(dataset, i), names[i]);
    }
    stoa_dataset_read(dataset, NULL, 0, 5, out, labels);
    for (size_t i = 0; i < 5; i++) {
        assert_float_equal(out[i * HEIGHT * WIDTH], wanted[i], 1e-6F);
        assert_true(out[i * HEIGHT * WIDTH + 1] == 0);
        assert_int_equal(labels[i], classes[i]);
    }
    stoa_dataset_free(dataset);
    /* Names in an order of their own; one has no folder. */
    static const char *const given[] = {"10", "x", "9", "2"};
    const stoa_data_options options = {.classes = 4, .names = given, .name_count = 4};
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, &options, &dataset), STOA_OK);
    stoa_dataset_read(dataset, NULL, 0, 5, out, labels);
    assert_true(labels[0] == 3 && labels[1] == 2 && labels[3] == 0);
    assert_int_equal(stoa_dataset_classes(dataset), 4);
    stoa_dataset_free(dataset);
}

static void reads_colour(void **state) {
    (void)state;
    size_t height, width, channels;
    float out[2 * HEIGHT * WIDTH * 3];
    int32_t labels[2];
    stoa_dataset *dataset = NULL;
    make_folder("a");
    (void)write_picture("a/1.png", HEIGHT, WIDTH, 255, true);
    const char *grey = write_picture("a/2.png", HEIGHT, WIDTH, 102, false);
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, NULL, &dataset), STOA_OK);
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_int_equal(channels, 3);
    stoa_dataset_read(dataset, NULL, 0, 2, out, labels);
    const float *second = out + HEIGHT * WIDTH * 3;
    assert_true(out[0] == 1 && out[1] == 0 && out[2] == 0);
    assert_float_equal(second[0], 0.4F, 1e-6F);
    assert_true(second[1] == second[0] && second[2] == second[0] && second[3] == 0);
    stoa_dataset_free(dataset);
    const stoa_data_options options = {.channels = 1};
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, &options, &dataset), STOA_OK);
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_int_equal(channels, 1);
    stoa_dataset_free(dataset);
    /* One picture by itself. */
    out[HEIGHT * WIDTH] = 77;
    assert_int_equal(stoa_image_read(context, grey, HEIGHT, WIDTH, 1, out), STOA_OK);
    assert_float_equal(out[0], 0.4F, 1e-6F);
    assert_true(out[1] == 0 && out[HEIGHT * WIDTH] == 77);
    assert_int_equal(stoa_image_read(context, grey, HEIGHT, WIDTH + 1, 1, out), STOA_ERR_SHAPE);
    assert_non_null(strstr(stoa_context_error(context), "2.png: 2x3 pixels, expected 2x4"));
    assert_int_equal(stoa_image_read(context, grey, HEIGHT, WIDTH, 2, out), STOA_ERR_ARGUMENT);
}

/* A row of values is a picture's, in the order in which a data set gives them. */
static void reads_rows(void **state) {
    (void)state;
    float row[3 * HEIGHT * WIDTH], out[3 * HEIGHT * WIDTH + 1];
    int32_t label;
    make_folder("a");
    const char *paths[] = {write_picture("a/grey.png", HEIGHT, WIDTH, 102, false),
                           write_picture("a/red.png", WIDTH, HEIGHT, 255, true)};
    for (size_t colour = 0; colour < 2; colour++) {
        size_t size = HEIGHT * WIDTH * (colour ? 3 : 1);
        const stoa_data_options options = {.height = 1, .width = 1, .channels = size};
        stoa_dataset *dataset = NULL;
        assert_int_equal(rename(paths[!colour], scratch_path(&scratch, "other")), 0);
        assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, &options, &dataset), STOA_OK);
        stoa_dataset_read(dataset, NULL, 0, 1, row, &label);
        stoa_dataset_free(dataset);
        assert_int_equal(rename(scratch_path(&scratch, "other"), paths[!colour]), 0);
        out[size] = 77;
        assert_int_equal(stoa_image_read(context, paths[colour], 1, 1, size, out), STOA_OK);
        assert_true(out[size] == 77);
        for (size_t i = 0; i < size; i++) {
            assert_float_equal(out[i], row[i], 1e-6F);
        }
        assert_true(row[0] > 0 && row[1] == 0);
        assert_int_equal(stoa_image_read(context, paths[colour], 1, 1, size + 1, out), STOA_ERR_SHAPE);
        assert_non_null(strstr(stoa_context_error(context), colour ? "3x2 pixels, expected 19 values: "
                                                                   : "2x3 pixels, expected 7 values: "));
    }
    assert_int_equal(stoa_image_read(context, paths[0], 1, 1, 0, out), STOA_ERR_ARGUMENT);
}

static void expect(const stoa_data_options *options, stoa_status status, const char *name, const char *rest) {
    char sentence[600];
    stoa_dataset *dataset = NULL;
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, options, &dataset), status);
    (void)snprintf(sentence, sizeof sentence, "%s%s: %s", scratch.folder, name, rest);
    assert_string_equal(stoa_context_error(context), sentence);
    assert_null(dataset);
}

static void refuses(void **state) {
    (void)state;
    char rest[300];
    static const char *const given[] = {"2", "9"};
    expect(NULL, STOA_ERR_FORMAT, "", "holds no folders, expected one with pictures for each class");
    make_set();
    expect(&(stoa_data_options){.classes = 2}, STOA_ERR_FORMAT, "",
           "holds 3 folders, expected one for each of 2 classes");
    expect(&(stoa_data_options){.names = given, .name_count = 2}, STOA_ERR_FORMAT, "/10",
           "expected the name of one of 2 classes such as '2'");
    make_folder("3");
    expect(NULL, STOA_ERR_FORMAT, "/3", "holds no PNG or JPEG pictures, expected at least one");
    (void)write_picture("3/x.png", HEIGHT + 1, WIDTH, 0, false);
    (void)snprintf(rest, sizeof rest,
                   "3x3 pixels, expected 2x3 as %s/2/z.png has, or resize = fit, crop or stretch",
                   scratch.folder);
    expect(NULL, STOA_ERR_FORMAT, "/3/x.png", rest);
    expect(&(stoa_data_options){.height = 4, .width = 4, .channels = 1}, STOA_ERR_FORMAT, "/2/z.png",
           "2x3 pixels, expected 4x4 as the network's input has, or resize = fit, crop or stretch");
    expect(&(stoa_data_options){.resize = STOA_RESIZE_FIT}, STOA_ERR_ARGUMENT, "",
           "resize: found a shape of 0x0x0, expected height and width to bring pictures to");
    expect(&(stoa_data_options){.height = 1, .width = 1, .channels = 6, .resize = STOA_RESIZE_CROP},
           STOA_ERR_ARGUMENT, "",
           "resize: found a shape of 1x1x6, expected height and width to bring pictures to");
    (void)scratch_write(&scratch, "3/x.png", "<html>", 6);
    expect(NULL, STOA_ERR_FORMAT, "/3/x.png",
           "is neither a PNG nor a JPEG picture, though its name says so; mend it, or take it out");
    /* Cut off anywhere. */
    uint8_t whole[1000];
    const char *path = write_picture("3/x.png", HEIGHT, WIDTH, 9, false);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t bytes = fread(whole, 1, sizeof whole, file);
    (void)fclose(file);
    for (size_t length = 0; length + 12 < bytes;
         length++) { /* the last chunk says only that it is the last */
        stoa_dataset *dataset = NULL;
        (void)scratch_write(&scratch, "3/x.png", whole, length);
        assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, NULL, &dataset),
                         STOA_ERR_FORMAT);
        assert_non_null(strstr(stoa_context_error(context), "/3/x.png: "));
        assert_null(dataset);
    }
}

static void loads_parts(void **state) {
    (void)state;
    static const char *const names[] = {"train/a/1.png", "train/a/2.png", "train/b/1.png", "train/b/2.png",
                                        "test/b/1.png"};
    static const char *const folders[] = {"train", "train/a", "train/b", "test", "test/b"};
    for (size_t i = 0; i < 5; i++) {
        make_folder(folders[i]);
    }
    for (size_t i = 0; i < 5; i++) {
        (void)write_picture(names[i], HEIGHT, WIDTH, 0, false);
    }
    stoa_dataset *train = NULL, *test = NULL;
    float out[HEIGHT * WIDTH];
    int32_t label;
    assert_int_equal(stoa_dataset_load(context, scratch.folder, NULL, &train, &test), STOA_OK);
    assert_int_equal(stoa_dataset_count(train), 4);
    assert_int_equal(stoa_dataset_count(test), 1);
    stoa_dataset_read(test, NULL, 0, 1, out, &label);
    assert_int_equal(label, 1); /* of two, though the only one in its folder */
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    assert_int_equal(stoa_dataset_load(context, scratch_path(&scratch, "train"), NULL, &train, &test),
                     STOA_OK);
    assert_int_equal(stoa_dataset_count(train), 2);
    assert_int_equal(stoa_dataset_count(test), 2);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    train = NULL;
    test = NULL;
    /* A class with one picture cannot be divided. */
    assert_int_equal(unlink(scratch_path(&scratch, names[3])), 0);
    assert_int_equal(stoa_dataset_load(context, scratch_path(&scratch, "train"), NULL, &train, &test),
                     STOA_ERR_FORMAT);
    assert_non_null(strstr(stoa_context_error(context),
                           "train: class 1 ('b') has one sample, expected at least two: one for each part"));
    assert_true(train == NULL && test == NULL);
}

/* `rest` follows the scratch folder's name; `sentence` the colon. */
static void expect_load(const char *rest, const char *sentence) {
    char whole[700];
    stoa_dataset *train = NULL, *test = NULL;
    assert_int_not_equal(stoa_dataset_load(context, scratch.folder, NULL, &train, &test), STOA_OK);
    (void)snprintf(whole, sizeof whole, "%s%s: %s", scratch.folder, rest, sentence);
    assert_string_equal(stoa_context_error(context), whole);
    assert_true(train == NULL && test == NULL);
}

/* Pictures of other kinds are left out, whatever their names say, and counted. */
static void leaves_other_pictures_out(void **state) {
    (void)state;
    static const char *const names[] = {"9/e.jpg", "9/e.gif", "2/photo.webp", "10/c.tif"};
    static const char *const bytes[] = {"GIF89a", "GIF87a", "RIFF\1\1\1\1WEBP", "II*\0"};
    static const size_t counts[] = {6, 6, 12, 4};
    char wanted[600];
    stoa_dataset *dataset = NULL;
    make_set();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)scratch_write(&scratch, names[i], bytes[i], counts[i]);
    }
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, NULL, &dataset), STOA_OK);
    assert_int_equal(stoa_dataset_count(dataset), 5);
    stoa_dataset_free(dataset);
    (void)snprintf(wanted, sizeof wanted,
                   "%s: 5 files are neither PNG nor JPEG (1 no picture, 1 WebP, 2 GIF, 1 TIFF) and left out: "
                   "%s/2/notes.txt and others\n",
                   scratch.folder, scratch.folder);
    assert_string_equal(notes, wanted);
}

static void refuses_what_is_no_picture(void **state) {
    (void)state;
    static const char *const names[] = {"9/e.jpg", "9/e.JPEG", "2/b.png"};
    make_set();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char rest[64];
        (void)snprintf(rest, sizeof rest, "/%s", names[i]);
        const char *path = scratch_write(&scratch, names[i], "x", 1);
        expect_load(rest,
                    "is neither a PNG nor a JPEG picture, though its name says so; mend it, or take it out");
        assert_int_equal(unlink(path), 0);
    }
    make_folder("9/more");
    expect_load("/9/more", "is a folder within the folder of a class, expected pictures alone");
    assert_int_equal(rmdir(scratch_path(&scratch, "9/more")), 0);
    assert_int_equal(symlink("nowhere", scratch_path(&scratch, "9/e.png")), 0);
    expect_load("/9/e.png", "is gone, or a link to nothing");
    assert_int_equal(unlink(scratch_path(&scratch, "9/e.png")), 0);
    assert_int_equal(symlink("nowhere", scratch_path(&scratch, "x")), 0);
    expect_load("/x", "is gone, or a link to nothing");
}

/* What systems leave behind is passed over in silence, what a user put there is named. */
static void names_what_is_left_out(void **state) {
    (void)state;
    static const char *const leavings[] = {"9/.DS_Store", "9/Thumbs.db", "2/desktop.ini", ".hidden.png",
                                           "9/._a.jpg"};
    char wanted[600];
    stoa_dataset *dataset = NULL;
    make_set();
    assert_int_equal(unlink(scratch_path(&scratch, "2/notes.txt")), 0);
    for (size_t i = 0; i < sizeof leavings / sizeof leavings[0]; i++) {
        (void)scratch_write(&scratch, leavings[i], "x", 1);
    }
    make_folder("__MACOSX");
    make_folder("9/@eaDir");
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, NULL, &dataset), STOA_OK);
    assert_int_equal(stoa_dataset_count(dataset), 5);
    assert_int_equal(stoa_dataset_classes(dataset), 3);
    stoa_dataset_free(dataset);
    assert_string_equal(notes, "");
    (void)scratch_write(&scratch, "9/labels.csv", "x", 1);
    (void)scratch_write(&scratch, "2/notes.txt", "x", 1);
    (void)scratch_write(&scratch, "cover.jpg", "\xFF\xD8\xFF", 3);
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, NULL, &dataset), STOA_OK);
    stoa_dataset_free(dataset);
    (void)snprintf(
        wanted, sizeof wanted,
        "%s: 1 picture beside the folders of classes left out: %s/cover.jpg\n"
        "%s: 2 files are neither PNG nor JPEG (2 no pictures) and left out: %s/2/notes.txt and others\n",
        scratch.folder, scratch.folder, scratch.folder, scratch.folder);
    assert_string_equal(notes, wanted);
    assert_int_equal(rmdir(scratch_path(&scratch, "9/@eaDir")), 0);
    for (size_t i = 0; i < sizeof leavings / sizeof leavings[0]; i++) {
        assert_int_equal(unlink(scratch_path(&scratch, leavings[i])), 0);
    }
}

/* Colour is kept unless grey is asked for, wherever in the set it comes; then it is said. */
static void says_that_colour_is_lost(void **state) {
    (void)state;
    char wanted[300];
    size_t height, width, channels;
    stoa_dataset *dataset = NULL;
    make_set();
    (void)write_picture("9/z.png", HEIGHT, WIDTH, 255, true);
    assert_int_equal(unlink(scratch_path(&scratch, "2/notes.txt")), 0);
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, NULL, &dataset), STOA_OK);
    stoa_dataset_shape(dataset, &height, &width, &channels);
    assert_int_equal(channels, 3);
    stoa_dataset_free(dataset);
    const stoa_data_options grey = {.channels = 1};
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, &grey, &dataset), STOA_OK);
    stoa_dataset_free(dataset);
    (void)snprintf(wanted, sizeof wanted,
                   "%s: of 6 pictures 5 are grey and read as colour\n"
                   "%s: of 6 pictures 1 is stored in colour and read as grey\n",
                   scratch.folder, scratch.folder);
    assert_string_equal(notes, wanted);
}

/* One picture of 16 bits among others of 8: none loses any. */
static void keeps_sixteen_bits(void **state) {
    (void)state;
    uint16_t pixels[HEIGHT * WIDTH] = {0x1234, 65535};
    float out[6 * HEIGHT * WIDTH];
    int32_t labels[6];
    stoa_dataset *dataset = NULL;
    make_set();
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    FILE *file = fopen(scratch_path(&scratch, "9/z.png"), "wb");
    assert_non_null(file);
    png_init_io(png, file);
    png_set_IHDR(png, info, WIDTH, HEIGHT, 16, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (size_t y = 0; y < HEIGHT; y++) {
        uint8_t row[2 * WIDTH];
        for (size_t x = 0; x < WIDTH; x++) {
            row[2 * x] = (uint8_t)(pixels[y * WIDTH + x] >> 8);
            row[2 * x + 1] = (uint8_t)pixels[y * WIDTH + x];
        }
        png_write_row(png, row);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(stoa_dataset_open_pictures(context, scratch.folder, NULL, &dataset), STOA_OK);
    stoa_dataset_read(dataset, NULL, 0, 6, out, labels);
    assert_float_equal(out[0], 0.4F, 1e-6F);
    assert_true(stoa_dataset_is_pixels(dataset));
    assert_float_equal(out[3 * HEIGHT * WIDTH], 0x1234 / 65535.0F, 1e-7F);
    assert_true(out[3 * HEIGHT * WIDTH + 1] == 1);
    stoa_dataset_free(dataset);
}

static void make_part(const char *name, size_t pictures) {
    char path[64];
    make_folder(name);
    for (const char *letter = "ab"; *letter; letter++) {
        (void)snprintf(path, sizeof path, "%s/%c", name, *letter);
        make_folder(path);
        for (size_t i = 0; i < pictures; i++) {
            (void)snprintf(path, sizeof path, "%s/%c/%zu.png", name, *letter, i);
            (void)write_picture(path, HEIGHT, WIDTH, 9, false);
        }
    }
}

static void expect_parts(size_t train_count, size_t test_count, const char *said) {
    char wanted[600];
    stoa_dataset *train = NULL, *test = NULL;
    notes[0] = '\0';
    if (stoa_dataset_load(context, scratch.folder, NULL, &train, &test) != STOA_OK) {
        fail_msg("%s", stoa_context_error(context));
    }
    assert_int_equal(stoa_dataset_count(train), train_count);
    assert_int_equal(stoa_dataset_count(test), test_count);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
    (void)snprintf(wanted, sizeof wanted, "%s%s%s%s", said[0] ? scratch.folder : "", said[0] ? ": " : "",
                   said, said[0] ? "\n" : "");
    assert_string_equal(notes, wanted);
}

static void takes_parts_by_their_names(void **state) {
    (void)state;
    char from[512];
    make_part("train", 3);
    make_part("val", 2);
    expect_parts(6, 4, "val is taken as the test part, as there is none of that name");
    make_part("test", 1);
    expect_parts(
        6, 2, "val is left out; samples for validation are held out of train where the recipe asks for it");
    (void)snprintf(from, sizeof from, "%s/val", scratch.folder);
    assert_int_equal(rename(from, scratch_path(&scratch, "extra")), 0);
    expect_parts(6, 2, "1 more beside what is read left out: extra");
    (void)scratch_write(&scratch, "README.md", "x", 1);
    assert_int_equal(rename(scratch_path(&scratch, "extra"), scratch_path(&scratch, "Validation")), 0);
    assert_int_equal(rename(scratch_path(&scratch, "test"), scratch_path(&scratch, "other")), 0);
    assert_int_equal(rename(scratch_path(&scratch, "train"), scratch_path(&scratch, "Training")), 0);
    (void)strcpy(from, "Validation is taken as the test part, as there is none of that name\n");
    (void)snprintf(from + strlen(from), sizeof from - strlen(from),
                   "%s: 1 more beside what is read left out: other", scratch.folder);
    expect_parts(6, 4, from);
    assert_int_equal(rename(scratch_path(&scratch, "other"), scratch_path(&scratch, "Testing")), 0);
    expect_parts(
        6, 2,
        "Validation is left out; samples for validation are held out of Training where the recipe asks "
        "for it");
}

/* Classes may have the names of parts. */
static void knows_classes_from_parts(void **state) {
    (void)state;
    static const char *const names[] = {"train/1.png", "train/2.png", "test/1.png", "test/2.png"};
    make_folder("train");
    make_folder("test");
    for (size_t i = 0; i < 4; i++) {
        (void)write_picture(names[i], HEIGHT, WIDTH, 0, false);
    }
    expect_parts(2, 2, "");
}

static void takes_tables_by_their_names(void **state) {
    (void)state;
    (void)scratch_write(&scratch, "train.csv", "1,0\n2,1\n3,1\n", 12);
    (void)scratch_write(&scratch, "val.csv", "1,0\n2,1\n", 8);
    expect_parts(3, 2, "val.csv is taken as the test part, as there is none of that name");
    (void)scratch_write(&scratch, "test.csv", "1,0\n", 4);
    expect_parts(
        3, 1,
        "val.csv is left out; samples for validation are held out of train.csv where the recipe asks "
        "for it");
}

/* Folders of pictures beside a table, which is read. */
static void names_folders_beside_a_table(void **state) {
    (void)state;
    make_part("pictures", 2);
    (void)scratch_write(&scratch, "labels.csv", "1,0\n2,1\n3,1\n4,0\n", 16);
    expect_parts(2, 2, "1 more beside what is read left out: pictures");
    make_folder("more");
    expect_parts(2, 2, "2 more beside what is read left out: pictures and others");
}

/* Whatever the number of entries after which a folder cannot be read any further, no smaller set comes of
 * it. */
static void fails_with_its_folders(void **state) {
    (void)state;
    stoa_dataset *train = NULL, *test = NULL;
    make_part("train", 3);
    make_part("test", 2);
    stoa_status status = STOA_ERR_IO;
    for (size_t most = 0; status != STOA_OK; most++) {
        entries_left = most;
        status = stoa_dataset_load(context, scratch.folder, NULL, &train, &test);
        entries_left = SIZE_MAX;
        assert_true(most < 2000);
        if (status != STOA_OK) {
            assert_int_equal(status, STOA_ERR_IO);
            assert_non_null(strstr(stoa_context_error(context), ": this folder cannot be read to its end"));
            assert_true(train == NULL && test == NULL);
        }
    }
    assert_int_equal(stoa_dataset_count(train), 6);
    assert_int_equal(stoa_dataset_count(test), 4);
    stoa_dataset_free(train);
    stoa_dataset_free(test);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_in_sorted_order),
        TEST(reads_colour),
        TEST(reads_rows),
        TEST(refuses),
        TEST(loads_parts),
        TEST(leaves_other_pictures_out),
        TEST(refuses_what_is_no_picture),
        TEST(names_what_is_left_out),
        TEST(says_that_colour_is_lost),
        TEST(keeps_sixteen_bits),
        TEST(takes_parts_by_their_names),
        TEST(knows_classes_from_parts),
        TEST(takes_tables_by_their_names),
        TEST(names_folders_beside_a_table),
        TEST(fails_with_its_folders),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
