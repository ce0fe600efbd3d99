/* Compiler attributes used throughout, spelt once. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define NO_RETURN __attribute__((noreturn))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
