#include "unit.h"

#include <stdlib.h>

int unit_run(const char *suite, const struct unit_case *cases, size_t count)
{
    CU_pSuite registered;
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    registered = CU_add_suite(suite, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        CU_add_test(registered, cases[i].name, cases[i].run);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
    if (CU_get_number_of_tests_run() != count)
        failures++;
    CU_cleanup_registry();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
