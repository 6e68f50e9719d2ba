/* A process of arm64 that dies within a signal handler; no library, so that nothing here is anybody else's. */

typedef unsigned long word;

struct action {
	void (*handler)(int);
	word flags;
	void (*restorer)(void);
	word mask;
};

static volatile int sink;
static volatile int *volatile bad = (volatile int *)0x10;

static long call_kernel(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

/* A function that makes no frame: its caller stands in x30 only. */
__attribute__((noinline)) void leaf(void)
{
	*bad = 1;
}

__attribute__((noinline)) void dies_again(int number)
{
	sink = number;
	leaf();
	sink = 0;
}

__attribute__((noinline)) void on_signal(int number)
{
	dies_again(number + 1);
	sink = 1;
}

__attribute__((noinline)) int recurse(int n)
{
	volatile int room[8];
	room[n % 8] = n;
	if (n == 0) {
		leaf();
		return room[0];
	}
	return recurse(n - 1) + room[n % 8];
}

__attribute__((noinline)) void outer(void)
{
	sink = recurse(3);
}

int main(void)
{
	struct action action = { on_signal, 0, 0, 0 };
	call_kernel(134, 11, (long)&action, 0, 8); /* rt_sigaction(SIGSEGV) */
	outer();
	return sink;
}

void _start(void)
{
	main();
	for (;;)
		call_kernel(93, 0, 0, 0, 0); /* exit */
}
