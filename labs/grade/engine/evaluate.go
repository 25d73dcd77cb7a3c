package engine

import (
	"context"
	"errors"

	"github.com/patchbay/patchbay/labs/grade"
)

var errNoKind = errors.New("the check says nothing of what it checks")

// evaluate tries a check once, its "not" left aside. Its error is ours, and no
// ground to judge a student by; what is wrong with the lab is a verdict that is
// not ok, and so is a *NotRunning.
func evaluate(ctx context.Context, t Target, c *grade.Check) (verdict, error) {
	switch k := &c.Kinds; {
	case k.Frames != nil:
		return evalFrames(ctx, t, k.Frames, watchFor(c))
	case k.Answers != nil:
		return evalAnswers(ctx, t, k.Answers)
	case k.Ping != nil:
		return evalPing(ctx, t, k.Ping)
	case k.Trace != nil:
		return evalTrace(ctx, t, k.Trace)
	case k.Connect != nil:
		return evalConnect(ctx, t, k.Connect)
	case k.Resolve != nil:
		return evalResolve(ctx, t, k.Resolve)
	case k.Fetch != nil:
		return evalFetch(ctx, t, k.Fetch)
	case k.DHCP != nil:
		return evalDHCP(ctx, t, k.DHCP)
	case k.File != nil:
		return evalFile(ctx, t, k.File)
	case k.Declared != nil:
		return evalDeclared(ctx, t, k.Declared)
	case k.Command != nil:
		return evalCommand(ctx, t, k.Command)
	case k.Sysctl != nil:
		return evalSysctl(ctx, t, k.Sysctl)
	case k.Process != nil:
		return evalProcess(ctx, t, k.Process)
	case k.Socket != nil:
		return evalSocket(ctx, t, k.Socket)
	case k.Address != nil:
		return evalAddress(ctx, t, k.Address)
	case k.Link != nil:
		return evalLink(ctx, t, k.Link)
	case k.Route != nil:
		return evalRoute(ctx, t, k.Route)
	case k.Neighbour != nil:
		return evalNeighbour(ctx, t, k.Neighbour)
	case k.Bridge != nil:
		return evalBridge(ctx, t, k.Bridge)
	case k.Firewall != nil:
		return evalFirewall(ctx, t, k.Firewall)
	case k.WireGuard != nil:
		return evalWireGuard(ctx, t, k.WireGuard)
	case k.OSPF != nil:
		return evalOSPF(ctx, t, k.OSPF)
	case k.BGP != nil:
		return evalBGP(ctx, t, k.BGP)
	case k.RIP != nil:
		return evalRIP(ctx, t, k.RIP)
	case k.ISIS != nil:
		return evalISIS(ctx, t, k.ISIS)
	case k.FRR != nil:
		return evalFRR(ctx, t, k.FRR)
	case k.Names != nil:
		return evalNames(ctx, t, k.Names)
	case k.HTTP != nil:
		return evalHTTP(ctx, t, k.HTTP)
	case k.Reach != nil:
		return evalReach(ctx, t, k.Reach)
	}
	return verdict{}, errNoKind
}
