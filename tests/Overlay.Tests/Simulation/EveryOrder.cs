using Overlay.Simulation.Linearizability;
using RegisterOperation = Overlay.Simulation.Linearizability.Operation<
    Overlay.Simulation.Linearizability.RegisterInput, Overlay.Simulation.Linearizability.RegisterOutput>;

namespace Overlay.Tests.Simulation;

/// <summary>The definition of linearizability taken at its word: every order of every subset of the unanswered. For few operations.</summary>
internal static class EveryOrder
{
    public static bool Explains(RegisterOperation[] history) => Explains(history, 0, new RegisterModel().Initial);

    private static bool Explains(RegisterOperation[] history, int placed, long state)
    {
        bool done = true;
        for (int i = 0; i < history.Length; i++)
        {
            if ((placed >> i & 1) != 0)
            {
                continue;
            }

            done &= history[i].IsAmbiguous;
            bool first = true;
            for (int j = 0; j < history.Length; j++)
            {
                first &= j == i || (placed >> j & 1) != 0 || history[j].Return >= history[i].Call;
            }

            if (first
                && new RegisterModel().TryStep(state, history[i].Input, history[i].Output, !history[i].IsAmbiguous, out long next)
                && Explains(history, placed | 1 << i, next))
            {
                return true;
            }
        }

        return done;
    }
}
