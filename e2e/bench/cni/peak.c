/* Runs a program and writes its peak memory in KiB: peak FILE PROGRAM [ARGUMENT...]
 *
 * The kernel counts what a process had in memory before it became another program, so whoever starts the
 * program must be smaller than that. */

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	struct rusage usage;
	int status;
	FILE *file = count > 2 ? fopen(arguments[1], "we") : NULL;
	if (!file)
		return 126;
	pid_t child = fork();
	if (child == 0) {
		execv(arguments[2], arguments + 2);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) < 0)
		return 126;
	if (fprintf(file, "%ld\n", usage.ru_maxrss) < 0 || fclose(file))
		return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
