using System.Diagnostics;
using System.Globalization;

namespace Overlay.Bench.Raft;

/// <summary>Three members of one cluster, each a process in a host of the lab, with mutual TLS.</summary>
internal abstract class RaftCluster
{
    public const int Members = 3;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private long number;

    public abstract string Name { get; }

    /// <summary>Processor time of all members.</summary>
    public double CpuSeconds => Enumerable.Range(0, Members).Sum(member =>
    {
        using Process process = Process.GetProcessById(Pid(member));
        return process.TotalProcessorTime.TotalSeconds;
    });

    public abstract int Pid(int member);

    /// <summary>A number that no write of this cluster had before.</summary>
    public long Next() => Interlocked.Increment(ref number);

    /// <summary>So many are taken.</summary>
    public void Skip(long taken) => Interlocked.Add(ref number, taken);

    public abstract IRaftClient Connect(int member, int connections);

    public abstract Task StartAsync(int member);

    public Task KillAsync(int member) => SignalAsync(member, "-KILL");

    /// <summary>By SIGTERM.</summary>
    public async Task<TimeSpan> StopAsync(int member)
    {
        long begin = Stopwatch.GetTimestamp();
        await SignalAsync(member, "-TERM");
        return Stopwatch.GetElapsedTime(begin);
    }

    /// <summary>The one that leads, as soon as there is one.</summary>
    public async Task<int> LeaderAsync(IReadOnlyList<IRaftClient> clients)
    {
        long begin = Stopwatch.GetTimestamp();
        string?[] why = new string?[clients.Count];
        while (Stopwatch.GetElapsedTime(begin) < Limit)
        {
            for (int member = 0; member < clients.Count; member++)
            {
                why[member] = await clients[member].FollowsAsync(CancellationToken.None);
                if (why[member] is null)
                {
                    return member;
                }
            }

            await Task.Delay(20);
        }

        throw new TimeoutException($"nobody leads {Name}: {string.Join(" | ", why)}");
    }

    /// <summary>Returns when the process has ended, whoever is to bury it.</summary>
    private async Task SignalAsync(int member, string signal)
    {
        int pid = Pid(member);
        using Process kill = Process.Start("kill", [signal, pid.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        while (IsAlive(pid))
        {
            await Task.Delay(1);
        }
    }

    /// <summary>proc_pid_stat(5): the state follows the name, which is in brackets.</summary>
    private static bool IsAlive(int pid)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }
}

/// <summary>Calls to one member by gRPC, over so many connections.</summary>
internal interface IRaftClient : IDisposable
{
    /// <summary>A new object whose entry in the log has 224 octets; returns when it is acknowledged.</summary>
    Task WriteAsync(int connection, CancellationToken cancellationToken);

    /// <summary>A linearizable read.</summary>
    Task ReadAsync(int connection, CancellationToken cancellationToken);

    /// <returns>Why it is not the leader, as far as it says; null: it is.</returns>
    Task<string?> FollowsAsync(CancellationToken cancellationToken);
}
