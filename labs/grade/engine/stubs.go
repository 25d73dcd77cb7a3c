package engine

// What stands here waits for its evaluator; a kind that gets one leaves.

import (
	"context"
	"time"

	"github.com/patchbay/patchbay/labs/grade"
)

func evalFrames(context.Context, Target, *grade.Frames, time.Duration) (verdict, error) {
	return verdict{}, errNotYet
}

func evalAnswers(context.Context, Target, *grade.Answers) (verdict, error) {
	return verdict{}, errNotYet
}

func evalPing(context.Context, Target, *grade.Ping) (verdict, error) {
	return verdict{}, errNotYet
}

func evalTrace(context.Context, Target, *grade.Trace) (verdict, error) {
	return verdict{}, errNotYet
}

func evalConnect(context.Context, Target, *grade.Connect) (verdict, error) {
	return verdict{}, errNotYet
}

func evalResolve(context.Context, Target, *grade.Resolve) (verdict, error) {
	return verdict{}, errNotYet
}

func evalFetch(context.Context, Target, *grade.Fetch) (verdict, error) {
	return verdict{}, errNotYet
}

func evalDHCP(context.Context, Target, *grade.DHCP) (verdict, error) {
	return verdict{}, errNotYet
}

func evalFile(context.Context, Target, *grade.File) (verdict, error) {
	return verdict{}, errNotYet
}

func evalDeclared(context.Context, Target, *grade.Declared) (verdict, error) {
	return verdict{}, errNotYet
}
