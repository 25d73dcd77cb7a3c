package engine

// What stands here waits for its evaluator; a kind that gets one leaves.

import (
	"context"

	"github.com/patchbay/patchbay/labs/grade"
)

func evalCommand(context.Context, Target, *grade.Command) (verdict, error) {
	return verdict{}, errNotYet
}

func evalSysctl(context.Context, Target, *grade.Sysctl) (verdict, error) {
	return verdict{}, errNotYet
}

func evalProcess(context.Context, Target, *grade.Process) (verdict, error) {
	return verdict{}, errNotYet
}

func evalSocket(context.Context, Target, *grade.Socket) (verdict, error) {
	return verdict{}, errNotYet
}

func evalAddress(context.Context, Target, *grade.Address) (verdict, error) {
	return verdict{}, errNotYet
}

func evalLink(context.Context, Target, *grade.Link) (verdict, error) {
	return verdict{}, errNotYet
}

func evalRoute(context.Context, Target, *grade.Route) (verdict, error) {
	return verdict{}, errNotYet
}

func evalNeighbour(context.Context, Target, *grade.Neighbour) (verdict, error) {
	return verdict{}, errNotYet
}

func evalBridge(context.Context, Target, *grade.Bridge) (verdict, error) {
	return verdict{}, errNotYet
}

func evalFirewall(context.Context, Target, *grade.Firewall) (verdict, error) {
	return verdict{}, errNotYet
}

func evalWireGuard(context.Context, Target, *grade.WireGuard) (verdict, error) {
	return verdict{}, errNotYet
}

func evalOSPF(context.Context, Target, *grade.OSPF) (verdict, error) {
	return verdict{}, errNotYet
}

func evalBGP(context.Context, Target, *grade.BGP) (verdict, error) {
	return verdict{}, errNotYet
}

func evalRIP(context.Context, Target, *grade.RIP) (verdict, error) {
	return verdict{}, errNotYet
}

func evalISIS(context.Context, Target, *grade.ISIS) (verdict, error) {
	return verdict{}, errNotYet
}

func evalFRR(context.Context, Target, *grade.FRR) (verdict, error) {
	return verdict{}, errNotYet
}

func evalNames(context.Context, Target, *grade.Names) (verdict, error) {
	return verdict{}, errNotYet
}

func evalHTTP(context.Context, Target, *grade.HTTP) (verdict, error) {
	return verdict{}, errNotYet
}

func evalReach(context.Context, Target, *grade.Reach) (verdict, error) {
	return verdict{}, errNotYet
}
