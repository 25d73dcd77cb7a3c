// Command patchbay is the host's side of Patchbay: the web server, the racks
// that it starts, and the tools that build what they need.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/patchbay/patchbay/labs"
)

// cli lists the subcommands; each has a file of its own.
type cli struct {
	Folders

	Attach  attachCmd  `cmd:"" help:"Attach this terminal to a running lab."`
	Bench   benchCmd   `cmd:"" help:"Measure Patchbay on this machine."`
	Capture captureCmd `cmd:"" help:"Show what a lab's cables carry, or write it as pcapng: patchbay capture two-hosts | tshark -r -"`
	Check   checkCmd   `cmd:"" help:"Carry a lab's checks out: on its solution, a wrong solution, a running rack."`
	Image   imageCmd   `cmd:"" help:"Build and list root file system images."`
	Kernel  kernelCmd  `cmd:"" help:"Build and list guest kernels."`
	Lab     labCmd     `cmd:"" help:"Check labs and list the built-in ones."`
	Import  importCmd  `cmd:"" help:"Write a lab of Kathará or Netkit as one of Patchbay."`
	Link    linkCmd    `cmd:"" help:"Cut, restore and impair a running lab's cables, or show what they do."`
	Ps      psCmd      `cmd:"" help:"List the racks of this machine: labs that run or have run."`
	Rack    rackCmd    `cmd:"" hidden:"" help:"The process of one rack; started by the others."`
	Run     runCmd     `cmd:"" help:"Start a lab and attach this terminal to it."`
	Serve   serveCmd   `cmd:"" help:"Serve the web application."`
	Stop    stopCmd    `cmd:"" help:"Stop a rack."`
	User    userCmd    `cmd:"" help:"Add users and let them back in."`
}

func main() {
	var c cli
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k := kong.Parse(&c,
		kong.Name("patchbay"),
		kong.Description("Networking labs in a browser, on User-mode Linux."),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&c.Folders),
		kong.Vars{"wire_kinds": strings.Join(kindNames, ", "), "topics": strings.Join(labs.Topics(), ", ")},
	)
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "patchbay:", err)
		stop()
		os.Exit(1)
	}
}
