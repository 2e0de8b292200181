/* Data sets from folders of PNG pictures. */
#include <math.h>
#include <png.h>
#include <stdbool.h>
#include <stoa/data.h>

#include "../base/cmocka_prelude.h"
#include "../base/scratch.h"

enum { HEIGHT = 2, WIDTH = 3 };

static struct scratch scratch;
static stoa_context *context;

static int set_up(void **state) {
    (void)state;
    scratch_open(&scratch);
    return stoa_context_create(NULL, &context) == STOA_OK ? 0 : -1;
}

/* Folders within folders, two deep at most, with what is in them. */
static void remove_below(const char *folder) {
    struct scratch inner = {.next = 0};
    DIR *open = opendir(folder);
    assert_true(strlen(folder) < sizeof inner.folder);
    (void)snprintf(inner.folder, sizeof inner.folder, "%s", folder);
    for (struct dirent *entry; open && (entry = readdir(open));) {
        struct stat about;
        if (entry->d_name[0] != '.' && stat(scratch_path(&inner, entry->d_name), &about) == 0 &&
            S_ISDIR(about.st_mode)) {
            remove_below(scratch_path(&inner, entry->d_name));
        }
    }
    if (open) {
        (void)closedir(open);
    }
    scratch_close(&inner);
}

static int tear_down(void **state) {
    (void)state;
    stoa_context_free(context);
    remove_below(scratch.folder);
    return 0;
}

static const char *make_folder(const char *name) {
    const char *path = scratch_path(&scratch, name);
    (void)mkdir(path, 0777);
    return path;
}

/* A picture whose first pixel is this bright: grey, or with `colour` that much red, on a black ground. */
static const char *write_picture(const char *name, size_t height, size_t width, uint8_t first, bool colour) {
    uint8_t pixels[256] = {first};
    png_image image = {
        .version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height};
    image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    const char *path = scratch_path(&scratch, name);
    assert_true(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    return path;
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
    expect(NULL, STOA_ERR_FORMAT, "", "holds no folders, expected one with PNG pictures for each class");
    make_set();
    expect(&(stoa_data_options){.classes = 2}, STOA_ERR_FORMAT, "",
           "holds 3 folders, expected one for each of 2 classes");
    expect(&(stoa_data_options){.names = given, .name_count = 2}, STOA_ERR_FORMAT, "/10",
           "expected the name of one of 2 classes such as '2'");
    make_folder("3");
    expect(NULL, STOA_ERR_FORMAT, "/3", "holds no PNG pictures, expected at least one");
    (void)write_picture("3/x.png", HEIGHT + 1, WIDTH, 0, false);
    (void)snprintf(rest, sizeof rest, "3x3 pixels, expected 2x3 as %s/2/z.png has", scratch.folder);
    expect(NULL, STOA_ERR_FORMAT, "/3/x.png", rest);
    (void)scratch_write(&scratch, "3/x.png", "GIF89a", 6);
    expect(NULL, STOA_ERR_FORMAT, "/3/x.png", "not a PNG picture");
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

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_in_sorted_order),
        TEST(reads_colour),
        TEST(refuses),
        TEST(loads_parts),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
