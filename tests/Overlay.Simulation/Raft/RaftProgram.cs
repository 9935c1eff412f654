using Overlay.Simulation.Linearizability;
using Overlay.Simulation.Whole;

namespace Overlay.Simulation.Raft;

/// <summary><c>Overlay.Simulation raft check</c>: schedules of the Raft core alone, with all invariants after every event.</summary>
internal static class RaftProgram
{
    /// <summary>So many schedules must bring about everything that <see cref="RaftSometimes"/> names.</summary>
    private const int Enough = 1000;

    private const string Usage =
        "Usage: Overlay.Simulation raft check|whole [--seeds N] [--first SEED] [--jobs J] [--seed SEED [--trace]] [--stop]\n"
        + "       Overlay.Simulation raft linearizable FILE [--steps N]";

    public static int Run(string[] args)
    {
        if (args is ["whole", .. string[] whole])
        {
            return WholeProgram.Run(whole);
        }

        if (args is ["par", .. string[] par])
        {
            return ParGrid.Run(par);
        }

        if (args is ["linearizable", .. string[] history])
        {
            return HistoryProgram.Run(history, Console.Out);
        }

        if (args is not ["check", ..])
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }

        return new Schedules<RaftSometimes>("raft check", "raft", "schedules", Enough, RaftRun.Of).Run(args, usual: 1000);
    }
}
