#include "../../../frontend/sasl_name.h"
#include "unit.h"

static void test_names(void)
{
    static const struct {
        const char *message;
        const char *name; /* NULL: refused */
    } cases[] = {
        {"n,,n=alice,r=abc", "alice"},
        {"y,,n=alice,r=abc", "alice"},
        {"n,a=bob@x,n=alice,r=abc", "alice"},
        {"n,,n=a=2Cb=3Dc,r=abc", "a,b=c"},
        {"n,,n=\xc3\xa4,r=abc", "\xc3\xa4"},
        {"n,,n==3D=3D,r=x", "=="},
        {"n,,n=,r=abc", NULL},
        {"n,,n=alice", NULL},
        {"n,,r=abc", NULL},
        {"p=tls-unique,,n=alice,r=abc", NULL},
        {"n,,n=a=2c,r=abc", NULL},
        {"n,,n=a=,r=abc", NULL},
        {"n,,n=a=3", NULL},
        {"n,,m=x,n=alice,r=abc", NULL},
        {"n,", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char name[32] = "";
        bool is_good =
            sasl_name_parse(slice_of(cases[i].message), name, sizeof(name));

        CU_ASSERT_EQUAL(is_good, cases[i].name != NULL);
        if (is_good && cases[i].name)
            CU_ASSERT_STRING_EQUAL(name, cases[i].name);
    }
}

static void test_room(void)
{
    char name[4];

    CU_ASSERT_TRUE(sasl_name_parse(SLICE("n,,n=abc,r=x"), name, sizeof(name)));
    CU_ASSERT_FALSE(
        sasl_name_parse(SLICE("n,,n=abcd,r=x"), name, sizeof(name)));
    CU_ASSERT_FALSE(
        sasl_name_parse(SLICE("n,,n=a\0b,r=x"), name, sizeof(name)));
}

static const struct unit_case cases[] = {
    {"names", test_names},
    {"room and NUL", test_room},
};

int main(void)
{
    return unit_run("sasl_name", cases, ARRAY_SIZE(cases));
}
