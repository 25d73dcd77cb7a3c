#include "textflag.h"

// The fields of a scriptOp, see script.go.
#define opNumber   0
#define opArgs     8
#define opWant    56
#define opMode    64
#define opResult  72
#define opSize    80

#define modeMayFail 1
#define modeExact   2

#define SYS_clone       56
#define SYS_exit_group 231

// func cloneScript(flags uintptr, ops, failed unsafe.Pointer) int64
//
// The child shares the parent's memory and has no Go runtime: it lives in
// registers alone, from clone to execve, and writes only the results of its
// operations and, when one fails, that operation's address.
TEXT ·cloneScript(SB), NOSPLIT, $0-32
	MOVQ flags+0(FP), DI
	MOVQ ops+8(FP), R12
	MOVQ failed+16(FP), R13
	XORL SI, SI // the parent's stack, which it does not touch
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	MOVL $SYS_clone, AX
	SYSCALL
	TESTQ AX, AX
	JZ   next
	MOVQ AX, ret+24(FP)
	RET

next:
	MOVQ opNumber(R12), AX
	MOVQ (opArgs+0)(R12), DI
	MOVQ (opArgs+8)(R12), SI
	MOVQ (opArgs+16)(R12), DX
	MOVQ (opArgs+24)(R12), R10
	MOVQ (opArgs+32)(R12), R8
	MOVQ (opArgs+40)(R12), R9
	SYSCALL
	MOVQ AX, opResult(R12)
	MOVQ opMode(R12), R8
	CMPQ R8, $modeMayFail
	JEQ  advance
	CMPQ R8, $modeExact
	JNE  sign
	CMPQ AX, opWant(R12)
	JNE  fail
	JMP  advance
sign:
	TESTQ AX, AX
	JLT  fail
advance:
	ADDQ $opSize, R12
	JMP  next

fail:
	MOVQ R12, (R13)
	MOVL $1, DI
	MOVL $SYS_exit_group, AX
	SYSCALL
	INT  $3
