using Overlay.Simulation.Gossip.Experiments;

namespace Overlay.Simulation.Gossip;

/// <summary><c>Overlay.Simulation gossip EXPERIMENT</c>: figures of the gossip core alone, each with its seeds.</summary>
internal static class GossipProgram
{
    private static readonly SortedDictionary<string, Func<GossipSettings, int>> Experiments = new(StringComparer.Ordinal)
    {
        ["bootstrap"] = Bootstrap.Run,
        ["check"] = RandomFaults.Run,
        ["churn"] = Churn.Run,
        ["detect"] = Detection.Run,
        ["flaky"] = Flaky.Run,
        ["heal"] = Healing.Run,
        ["idle"] = Idle.Run,
        ["lifeguard"] = Intervals.Run,
        ["receive"] = Receive.Run,
        ["restart"] = MassRestart.Run,
        ["speed"] = Speed.Run,
        ["starve"] = Starvation.Run,
        ["tables"] = LargeTables.Run,
    };

    public static int Run(string[] args)
    {
        if (args.Length == 0 || !Experiments.TryGetValue(args[0], out Func<GossipSettings, int>? experiment))
        {
            Console.Error.WriteLine(
                $"Usage: Overlay.Simulation gossip EXPERIMENT [--nodes N] [--seeds K] [--seed FIRST] [--arm ARM] [--jobs J]\n"
                + $"experiments: {string.Join(' ', Experiments.Keys)}");
            return 2;
        }

        return experiment(new(args[1..]));
    }
}
