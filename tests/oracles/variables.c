/* Variables of every kind, in functions that are inlined, optimised and left by calls that lose arguments. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <stdbool.h>

#define NOINLINE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

enum colour { RED, GREEN = 5, BLUE = -2 };
enum flags { F_A = 1, F_B = 2, F_C = 4, F_REST = 0x30 };
typedef unsigned int counter_t;
struct inner { short s; char c; unsigned char raw[6]; };
struct outer {
	int number;
	struct inner inner[3];
	union { double d; uint64_t u; };
	unsigned bit1 : 1, bits5 : 5;
	signed sbits : 3;
	const char *name;
	void (*call)(int);
	struct outer *next;
	enum flags flags;
	int trailing[];
};

volatile int sink;
static struct outer global = { .number = 7, .name = "global" };
static void called(int n) { sink = n; }

INLINE int add(int a, int b)
{
	int sum = a + b;
	sink = sum;
	return sum;
}

INLINE int scaled(counter_t factor, int value)
{
	int product = factor * value;
	{
		long inner_block = product + 1L;
		sink = inner_block;
		if (value == 21)
			*(volatile int *)(long)value = product;
	}
	return product;
}

static NOINLINE int last(int lost, struct outer *o, const char *text, bool yes, uint8_t small, int64_t wide)
{
	static int called_times = 3;
	int local = add(lost, small);
	called_times++;
	sink = (int)wide + yes + text[0] + o->number;
	return scaled(local & 7, lost) + called_times;
}

static NOINLINE int middle(struct outer by_value, int64_t wide, enum colour colour, enum flags flags, float f, double d)
{
	struct outer copy = by_value;
	int matrix[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
	int many[40] = { 9 };
	char text[16] = "local text";
	void *pointer = &copy;
	struct outer *to_global = &global;
	void (*function)(int) = called;
	char letter = 'x', zero = 0;
	unsigned char byte = 200;
	int result;

	copy.number += colour + flags + (int)f + (int)d + many[3] + letter + zero + byte;
	sink = matrix[1][2] + text[3];
	function(copy.number);
	result = last(21, to_global, text, true, byte, wide);
	sink = result + (pointer != NULL) + matrix[0][1] + many[sink & 3] + text[sink & 3];
	return result;
}

static NOINLINE int outermost(int argc, char **argv)
{
	struct outer o;
	memset(&o, 0, sizeof(o));
	o.number = argc;
	o.inner[0].s = -5;
	o.inner[1].c = '\n';
	memset(o.inner[2].raw, 7, sizeof(o.inner[2].raw));
	o.d = 1.5;
	o.bit1 = 1;
	o.bits5 = 19;
	o.sbits = -3;
	o.name = "secret name";
	o.call = called;
	o.next = &global;
	o.flags = F_A | F_C;
	sink = argv[0][0];
	return middle(o, 1LL << 40, GREEN, F_B | F_C, 2.5f, -0.125) + 1;
}

int main(int argc, char **argv)
{
	sink = outermost(argc, argv);
	return sink;
}
