/* Makes the Win32 calls behind .NET's Semaphore, Mutex and EventWaitHandle, as a peer to try quintet.exe against.
 *
 *   win32_sync NAME
 *
 * Does what the lines of its standard input say to one object, Local\NAME, and answers each with a line. Ends with its
 * input.
 *
 *   create semaphore COUNT MAXIMUM    created; or there, if it was (.NET's createdNew)
 *   create mutex free|owned           the same
 *   create event manual|auto          the same; it is not set
 *   open semaphore|mutex|event        opened
 *   wait MILLISECONDS                 taken, abandoned or timeout
 *   release PERMITS                   the previous count
 *   unlock, set, reset, close         done
 *   exit CODE                         no answer: ExitProcess, with whatever it owns
 *   terminate CODE                    no answer: TerminateProcess
 *
 * A call that fails is answered with "error" and GetLastError's number.
 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "win32_answers.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static wchar_t path[300];
static HANDLE object;

static void have(HANDLE handle, const char *how)
{
    if (!handle) {
        answer_error();
        return;
    }
    object = handle;
    answer(how);
}

static void create(const char *line)
{
    char word[16];
    HANDLE handle;
    LONG count, maximum;
    DWORD error;

    SetLastError(0);
    if (sscanf(line, "create semaphore %ld %ld", &count, &maximum) == 2)
        handle = CreateSemaphoreW(NULL, count, maximum, path);
    else if (sscanf(line, "create mutex %15s", word) == 1)
        handle = CreateMutexW(NULL, strcmp(word, "owned") == 0, path);
    else if (sscanf(line, "create event %15s", word) == 1)
        handle = CreateEventW(NULL, strcmp(word, "manual") == 0, FALSE, path);
    else {
        refuse(line);
        return;
    }
    error = GetLastError();
    have(handle, error == ERROR_ALREADY_EXISTS ? "there" : "created");
}

/* With the rights that .NET's OpenExisting asks for. */
static void open_existing(const char *line)
{
    if (strcmp(line, "open semaphore") == 0)
        have(OpenSemaphoreW(SYNCHRONIZE | SEMAPHORE_MODIFY_STATE, FALSE, path), "opened");
    else if (strcmp(line, "open mutex") == 0)
        have(OpenMutexW(SYNCHRONIZE | MUTEX_MODIFY_STATE, FALSE, path), "opened");
    else if (strcmp(line, "open event") == 0)
        have(OpenEventW(SYNCHRONIZE | EVENT_MODIFY_STATE, FALSE, path), "opened");
    else
        refuse(line);
}

static void wait_for(DWORD milliseconds)
{
    switch (WaitForSingleObject(object, milliseconds)) {
    case WAIT_OBJECT_0:
        answer("taken");
        break;
    case WAIT_ABANDONED:
        answer("abandoned");
        break;
    case WAIT_TIMEOUT:
        answer("timeout");
        break;
    default:
        answer_error();
    }
}

static void release(LONG permits)
{
    LONG previous = -1;

    if (ReleaseSemaphore(object, permits, &previous)) {
        printf("%ld\n", previous);
        fflush(stdout);
    } else
        answer_error();
}

static void obey(const char *line)
{
    unsigned long number;

    if (strncmp(line, "create ", 7) == 0)
        create(line);
    else if (strncmp(line, "open ", 5) == 0)
        open_existing(line);
    else if (sscanf(line, "wait %lu", &number) == 1)
        wait_for(number);
    else if (sscanf(line, "release %lu", &number) == 1)
        release((LONG)number);
    else if (strcmp(line, "unlock") == 0)
        answer_done(ReleaseMutex(object));
    else if (strcmp(line, "set") == 0)
        answer_done(SetEvent(object));
    else if (strcmp(line, "reset") == 0)
        answer_done(ResetEvent(object));
    else if (strcmp(line, "close") == 0)
        answer_done(CloseHandle(object));
    else if (sscanf(line, "exit %lu", &number) == 1)
        ExitProcess(number);
    else if (sscanf(line, "terminate %lu", &number) == 1)
        TerminateProcess(GetCurrentProcess(), number);
    else
        refuse(line);
}

int main(int argc, char **argv)
{
    char line[100];

    if (argc != 2) {
        fprintf(stderr, "usage: win32_sync NAME\n");
        return 2;
    }
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    _snwprintf(path, 299, L"Local\\%hs", argv[1]);
    path[299] = 0;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        obey(line);
    }
    return 0;
}
