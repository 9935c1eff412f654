using Overlay.Primitives;
using Overlay.Simulation.Linearizability;
using RegisterOperation = Overlay.Simulation.Linearizability.Operation<
    Overlay.Simulation.Linearizability.RegisterInput, Overlay.Simulation.Linearizability.RegisterOutput>;

namespace Overlay.Tests.Simulation;

/// <summary>Seeded histories: of a register that is correct, of one that lies once, and of no register at all.</summary>
internal sealed class RegisterHistory
{
    private RegisterHistory(List<RegisterOperation> operations) => Operations = operations;

    public List<RegisterOperation> Operations { get; }

    /// <summary>Clients that call one after another; each operation happens at a random moment between call and answer.</summary>
    public static RegisterHistory Random(Prng prng, int clients, int count, double lost)
    {
        List<(long At, int Index)> moments = [];
        List<RegisterOperation> operations = [];
        long[] free = new long[clients];
        for (int i = 0; i < count; i++)
        {
            int client = prng.Next(clients);
            long call = free[client] + 1 + prng.Next(20);
            long moment = call + prng.Next(30);
            long answer = moment + prng.Next(30);
            free[client] = answer + 1;
            RegisterVerb verb = (RegisterVerb)prng.Next(3);
            bool ambiguous = verb != RegisterVerb.Read && prng.Chance(lost);
            if (!ambiguous || prng.Chance(0.5))
            {
                moments.Add((moment, i));
            }

            operations.Add(new(
                client, 0, new(verb, i + 1, Math.Max(0, i - prng.Next(4))), default, call, ambiguous ? RegisterOperation.NoAnswer : answer));
        }

        moments.Sort();
        long value = 0;
        foreach ((_, int index) in moments)
        {
            RegisterInput input = operations[index].Input;
            if (input.Verb == RegisterVerb.Swap && prng.Chance(0.5))
            {
                input = input with { Expected = value };
            }

            bool swapped = input.Verb != RegisterVerb.Swap || value == input.Expected;
            operations[index] = operations[index] with { Input = input, Output = new(value, swapped) };
            value = input.Verb == RegisterVerb.Read || !swapped ? value : input.Value;
        }

        return new(operations);
    }

    /// <summary>Arbitrary calls with arbitrary answers, few values, much overlap.</summary>
    public static RegisterOperation[] Arbitrary(Prng prng, int count)
    {
        RegisterOperation[] history = new RegisterOperation[count];
        for (int i = 0; i < count; i++)
        {
            RegisterVerb verb = (RegisterVerb)prng.Next(3);
            long call = prng.Next(12);
            long answer = verb != RegisterVerb.Read && prng.Chance(0.2) ? RegisterOperation.NoAnswer : call + prng.Next(8);
            history[i] = new(i, 0, new(verb, prng.Next(3), prng.Next(3)), new(prng.Next(3), prng.Chance(0.5)), call, answer);
        }

        return history;
    }

    /// <summary>One read answers a value that was replaced before its call, or that nobody wrote.</summary>
    public RegisterOperation[] Break(Prng prng)
    {
        RegisterOperation[] broken = [.. Operations];
        int last = broken.Length - 1;
        long end = broken.Max(static o => o.Return);
        RegisterOperation write = new(0, 0, new(RegisterVerb.Write, 1_000_000), default, end + 1, end + 2);
        RegisterOperation stale = new(1, 0, new(RegisterVerb.Read, 0), new(broken[last].Input.Value), end + 3, end + 4);
        if (prng.Chance(0.5))
        {
            return [.. broken, write, stale];
        }

        int[] reads = [.. Enumerable.Range(0, broken.Length).Where(i => broken[i].Input.Verb == RegisterVerb.Read)];
        if (reads.Length == 0)
        {
            return [.. broken, write, stale];
        }

        int lie = reads[prng.Next(reads.Length)];
        broken[lie] = broken[lie] with { Output = new(-1) };
        return broken;
    }
}
