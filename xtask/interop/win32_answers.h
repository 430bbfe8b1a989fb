/* How a peer that does what the lines of its standard input say answers them, a line each. */
#include <stdio.h>
#include <stdlib.h>

static void answer(const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
}

static void answer_error(void)
{
    printf("error %lu\n", GetLastError());
    fflush(stdout);
}

static void answer_done(BOOL done)
{
    if (done)
        answer("done");
    else
        answer_error();
}

/* The input makes no sense: that ends the program, and the case. */
static void refuse(const char *what)
{
    fprintf(stderr, "what is \"%s\"?\n", what);
    exit(2);
}
