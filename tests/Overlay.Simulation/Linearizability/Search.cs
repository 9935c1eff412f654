using Overlay.Primitives;

namespace Overlay.Simulation.Linearizability;

/// <summary>The search over one key's history; see <see cref="LinearizabilityChecker"/>.</summary>
internal sealed class Search<TModel, TState, TInput, TOutput>
    where TModel : struct, ISequentialModel<TState, TInput, TOutput>
    where TState : IEquatable<TState>
{
    private readonly TModel model;
    private readonly Operation<TInput, TOutput>[] operations;
    private readonly EventList events;
    private readonly HashSet<Configuration> seen = [];
    private readonly ulong[] placed;
    private readonly Stack<(int Operation, TState Before)> stack = new();
    private int answersLeft;

    public Search(TModel model, Operation<TInput, TOutput>[] operations, long steps)
    {
        this.model = model;
        this.operations = operations;
        StepsLeft = steps;
        events = new(operations.Length);
        placed = new ulong[(operations.Length + 63) / 64];
        List<(long At, bool IsReturn, int Operation)> order = new(operations.Length * 2);
        for (int i = 0; i < operations.Length; i++)
        {
            Invariant.Holds(operations[i].Return >= operations[i].Call, "an answer does not come before its call");
            order.Add((operations[i].Call, false, i));
            if (!operations[i].IsAmbiguous)
            {
                answersLeft++;
                order.Add((operations[i].Return, true, i));
            }
        }

        // Of one instant, calls stand first: such operations overlap, which only allows more orders.
        order.Sort();
        events.Fill(order);
    }

    public int Count => operations.Length;

    public int Deepest { get; private set; }

    public long StepsLeft { get; private set; }

    public LinearizabilityResult Run()
    {
        TState state = model.Initial;
        int at = events.First;

        // What has no answer need not be placed at all, so the end is when every answer is explained.
        while (answersLeft > 0)
        {
            if (at != EventList.None && !events.IsReturn(at))
            {
                if (StepsLeft-- <= 0)
                {
                    return LinearizabilityResult.Undecided;
                }

                at = TryPlace(events.Operation(at), ref state) ? events.First : events.Next(at);
            }
            else if (stack.TryPop(out (int Operation, TState Before) last))
            {
                state = last.Before;
                TakeBack(last.Operation);
                at = events.Next(events.CallOf(last.Operation));
            }
            else
            {
                return LinearizabilityResult.Violated;
            }
        }

        return LinearizabilityResult.Linearizable;
    }

    private bool TryPlace(int operation, ref TState state)
    {
        ref readonly Operation<TInput, TOutput> candidate = ref operations[operation];
        if (!model.TryStep(state, candidate.Input, candidate.Output, !candidate.IsAmbiguous, out TState next))
        {
            return false;
        }

        placed[operation >> 6] |= 1UL << operation;
        if (!seen.Add(new([.. placed], next)))
        {
            placed[operation >> 6] &= ~(1UL << operation);
            return false;
        }

        stack.Push((operation, state));
        Deepest = Math.Max(Deepest, stack.Count);
        events.Lift(operation);
        answersLeft -= candidate.IsAmbiguous ? 0 : 1;
        state = next;
        return true;
    }

    private void TakeBack(int operation)
    {
        placed[operation >> 6] &= ~(1UL << operation);
        answersLeft += operations[operation].IsAmbiguous ? 0 : 1;
        events.Unlift(operation);
    }

    /// <summary>Which operations are placed and what state they led to.</summary>
    private readonly struct Configuration(ulong[] placed, TState state) : IEquatable<Configuration>
    {
        private readonly ulong[] placed = placed;
        private readonly TState state = state;

        public bool Equals(Configuration other) =>
            state.Equals(other.state) && placed.AsSpan().SequenceEqual(other.placed);

        public override bool Equals(object? obj) => obj is Configuration other && Equals(other);

        public override int GetHashCode()
        {
            ulong hash = (ulong)state.GetHashCode();
            foreach (ulong word in placed)
            {
                hash = (hash ^ word) * 0x9E3779B97F4A7C15;
                hash ^= hash >> 29;
            }

            return (int)(hash >> 32);
        }
    }
}
