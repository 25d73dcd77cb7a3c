package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// powerPipe is where the power commands tell the first process what to do.
const powerPipe = "/run/guestd.power"

// commandNames are what guestd is when it is not the first process. Debian's
// invoke-rc.d, which packages and logrotate start services by, does nothing on
// a machine without init, nor where runlevel says nothing.
var commandNames = [...]string{"reboot", "poweroff", "halt", "shutdown", "runlevel", "telinit", "init"}

// listenPower makes the pipe and, where the image has no such commands, the
// commands: links to our own executable, which lies in the initial RAM disk
// and has no path any more.
func (g *guest) listenPower() error {
	if err := syscall.Mkfifo(powerPipe, 0o600); err != nil {
		return wrap("making "+powerPipe, err)
	}
	// For writing too, so that it does not end with its last writer.
	pipe, err := os.OpenFile(powerPipe, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	for _, name := range commandNames {
		if err := syscall.Symlink("/proc/1/exe", "/sbin/"+name); err != nil && err != syscall.EEXIST {
			return wrap("making /sbin/"+name, err)
		}
	}
	go func() { // for as long as the guest runs
		var b [64]byte
		for {
			n, err := pipe.Read(b[:])
			if err != nil {
				return
			}
			switch word := strings.TrimSpace(string(b[:n])); word {
			case "reboot", "poweroff":
				g.told(word == "reboot")
				g.Shutdown(word == "reboot")
			}
		}
	}()
	return nil
}

// command is the commands' own end. It returns their exit code.
func command(args []string) int {
	name := ""
	if len(args) > 0 {
		name = args[0][strings.LastIndexByte(args[0], '/')+1:]
	}
	if name == "runlevel" {
		// Always the level whose services are started, and none before it.
		_, _ = os.Stdout.WriteString("N 2\n")
		return 0
	}
	word, problem := powerWord(name, args)
	if problem != "" {
		_, _ = os.Stderr.WriteString(problem + "\n")
		return 1
	}
	pipe, err := os.OpenFile(powerPipe, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		_, err = pipe.WriteString(word + "\n")
	}
	if errors.Is(err, fs.ErrNotExist) {
		// A student has been at /run. Without an orderly end, and without the
		// host being told of a reboot; but it ends.
		syscall.Sync()
		err = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	}
	if err != nil {
		_, _ = os.Stderr.WriteString(name + ": " + err.Error() + "\n")
		return 1
	}
	return 0
}

// powerWord says what the first process is to be told.
func powerWord(name string, args []string) (word, problem string) {
	switch name {
	case "reboot":
		return "reboot", ""
	case "poweroff", "halt":
		return "poweroff", ""
	case "init", "telinit":
		switch strings.Join(args[1:], " ") {
		case "0":
			return "poweroff", ""
		case "6":
			return "reboot", ""
		}
		return "", name + ": this machine knows the levels 0 (off) and 6 (reboot) alone"
	case "shutdown":
	default:
		return "", "guestd: this is the first process of a Patchbay guest, and not of use elsewhere"
	}
	word = "poweroff"
	for _, a := range args[1:] {
		switch a {
		case "-r", "--reboot":
			word = "reboot"
		case "-h", "-P", "-H", "--halt", "--poweroff", "now", "+0":
		default:
			return "", "shutdown: " + a + ": not known here; use shutdown [-r|-h|-P] now"
		}
	}
	return word, ""
}
