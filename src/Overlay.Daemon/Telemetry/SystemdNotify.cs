using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Overlay.Daemon.Telemetry;

/// <summary>
/// Tells systemd how the agent is (sd_notify(3)): datagrams to the socket in NOTIFY_SOCKET, whose name is abstract if
/// it begins with '@'. Without the variable every call does nothing. A lost notification is not worth an exception.
/// </summary>
internal sealed class SystemdNotify : IDisposable
{
    private const int MaxStatus = 1024;
    private static readonly TimeSpan StatusInterval = TimeSpan.FromSeconds(5);

    private readonly Socket? socket;
    private readonly UnixDomainSocketEndPoint? target;

    public SystemdNotify(string? path, TimeSpan? watchdog = null)
    {
        if (path is ['/', ..] or ['@', _, ..])
        {
            target = new(path[0] == '@' ? $"\0{path[1..]}" : path);
            socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
        }

        WatchdogInterval = watchdog / 2;
    }

    /// <summary>Half of the time after which systemd would kill the agent; null: nobody watches.</summary>
    public TimeSpan? WatchdogInterval { get; }

    public bool IsListening => socket is not null;

    /// <summary>NOTIFY_SOCKET, and WATCHDOG_USEC where WATCHDOG_PID is not another process.</summary>
    public static SystemdNotify FromEnvironment(Func<string, string?>? read = null)
    {
        read ??= Environment.GetEnvironmentVariable;
        bool isOurs = read("WATCHDOG_PID") is not { Length: > 0 } pid
            || pid == Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        bool hasWatchdog = long.TryParse(
            read("WATCHDOG_USEC"), NumberStyles.None, CultureInfo.InvariantCulture, out long microseconds)
            && microseconds is > 0 and < long.MaxValue / 20;
        return new(
            read("NOTIFY_SOCKET"),
            isOurs && hasWatchdog ? TimeSpan.FromTicks(microseconds * 10) : null);
    }

    public void Ready(string status) => Send($"READY=1\nSTATUS={OneLine(status)}");

    public void Status(string status) => Send($"STATUS={OneLine(status)}");

    public void Stopping() => Send("STOPPING=1");

    public void Watchdog() => Send("WATCHDOG=1");

    /// <summary>Sends the watchdog's sign of life for as long as the agent is alive in its own judgement.</summary>
    public async Task RunWatchdogAsync(Func<bool> isAlive, TimeProvider time, CancellationToken cancellationToken)
    {
        if (WatchdogInterval is not { } interval || !IsListening)
        {
            return;
        }

        using PeriodicTimer timer = new(interval, time);
        try
        {
            do
            {
                if (isAlive())
                {
                    Watchdog();
                }
            }
            while (await timer.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // The agent stops; systemd has been told by Stopping.
        }
    }

    /// <summary>Keeps the line that `systemctl status` shows true: looks every few seconds, sends what changed.</summary>
    public async Task RunStatusAsync(Func<string> status, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!IsListening)
        {
            return;
        }

        string said = "";
        try
        {
            while (true)
            {
                string now = status();
                if (now != said)
                {
                    Status(now);
                    said = now;
                }

                await Task.Delay(StatusInterval, time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops; systemd has been told by Stopping.
        }
    }

    public void Dispose() => socket?.Dispose();

    private static string OneLine(string status)
    {
        string line = status.ReplaceLineEndings(" ");
        return line.Length <= MaxStatus ? line : line[..MaxStatus];
    }

    private void Send(string message)
    {
        try
        {
            socket?.SendTo(Encoding.UTF8.GetBytes(message), target!);
        }
        catch (SocketException)
        {
            // Nobody listens, or its queue is full: the next notification replaces this one.
        }
        catch (ObjectDisposedException)
        {
            // A last word while the process ends.
        }
    }
}
