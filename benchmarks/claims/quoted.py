"""Claims whose figures a longer benchmark made: the words of docs/measured.md, and its command."""

from __future__ import annotations

from benchmarks.claims.claim import CIS680, CS231N, DL4CV, SUMMARY, Quoted

QUOTED: dict[str, list[Quoted]] = {
    "analysing": [
        Quoted(
            "Saliency detects biases and shortcuts",
            "This also allows you to detect biases and shortcuts. Sometimes, the model might learn "
            "to pay attention to the background and not the main subject.",
            CS231N,
            ("python -m benchmarks.probes shortcut",),
            "of ten classes the one whose training pictures had a mark in a corner has the largest "
            "share of its saliency outside of the middle, and the intervals are apart",
            "`shortcut`, a mark put on one class's training pictures: its share of saliency "
            "outside the middle, and that of the next class",
            "0.630 (0.614 to 0.645), 0.360 (0.323 to 0.396): first of 10",
            True,
        ),
    ],
    "generating": [
        Quoted(
            "A picture can be made from its fc6 code",
            "Train a network that synthesizes a realistic image from a certain feature vector in "
            "the CNN",
            CIS680,
            ("python -m benchmarks.generator reconstruction",),
            "for more than half of new pictures the class is the same after going through the code",
            "2,500 validation pictures reconstructed from their fc6 codes: mini AlexNet predicts "
            "the same class",
            "63.2 %; by a generator trained on the loss of pixels alone (4 epochs, not 7) 5.5 %",
            True,
        ),
        Quoted(
            "A loss of pixels is enough to train the generator",
            "L = Σ_i Σ_c (ŷ_i(c) - y_i(c))²",
            CIS680,
            ("python -m benchmarks.generator reconstruction",),
            "trained by that loss alone it keeps the class of more than half of new pictures",
            "2,500 validation pictures reconstructed from their fc6 codes: mini AlexNet predicts "
            "the same class",
            "63.2 %; by a generator trained on the loss of pixels alone (4 epochs, not 7) 5.5 %",
            False,
            "the paper, Dosovitskiy & Brox 2016, adds losses of features and of a discriminator",
        ),
    ],
    "fooling": [
        Quoted(
            "One perturbation fools SqueezeNet on most photographs",
            "You can also find a universal perturbation through gradient descent that messes with "
            "as many images as possible",
            CS231N,
            ("python -m benchmarks.gradient universal",),
            "the prediction changes for more than half of the photographs that were held out",
            "`universal_perturbation`, SqueezeNet 1.1, L-inf 10/255, from 400 photographs, on 100 "
            "others, three splits",
            "92.3 % fooled (random signs 38.3 %), 55 s",
            True,
        ),
    ],
    "evolving": [
        Quoted(
            "99.12 % for all classes at once, by MAP-Elites",
            "Average CNN prediction probability is 99.12% across these images",
            CIS680,
            ("python -m benchmarks.evolution map",),
            "the mean probability of all 100 classes is at least 0.9912 after 15 minutes",
            "`map_elites`, all 100 classes, 15 minutes, on the saved files",
            "70 at 0.99 or more, mean 0.956; 1.03 M evaluations",
            False,
        ),
        Quoted(
            "The textbook's genetic algorithm is enough",
            "Individual is an image. Each trait is a pixel in an image. Fitness function is the "
            "CNN's output for a certain class.",
            CIS680,
            ("python -m benchmarks.evolution pixels",),
            "uniform crossover and Gaussian mutation of pixels reach a mean confidence of 0.99 "
            "within 5,000 evaluations",
            "the textbook algorithm (population 64, tournament 2, uniform crossover, Gaussian 0.1 "
            "on 5 %)",
            "0.03 / 0.13 / 0.64; 0.96 after 20,000",
            False,
            "mutations that are smooth in the picture reach 1.00 there (`fooling_genetic`)",
        ),
    ],
    "painting": [
        Quoted(
            "A network paints in one pass what takes many",
            "Style transfer requires many forward / backward passes; very slow! Train another "
            "neural network to perform style transfer for us.",
            SUMMARY,
            ("python -m benchmarks.generator stylizer",),
            "a pass costs less than a hundredth of the 300 steps",
            "`stylize`, 256 px, a pass on one core; 300 steps of `style_transfer` with the same "
            "loss / a pass",
            "33 ms; 300 times",
            True,
        ),
        Quoted(
            "One pass paints as well as many steps",
            "After training, stylize images using a single forward pass",
            SUMMARY,
            ("python -m benchmarks.generator stylizer",),
            "the loss of new photographs is as low as that of 300 steps",
            "the same, loss of held-out photographs",
            "as low as `style_transfer` after 70 steps (50 to 150)",
            False,
        ),
        Quoted(
            "Instance normalisation is better than batch normalisation",
            "Replacing batch norm with instance norm can improve style transfer result",
            DL4CV,
            ("python -m benchmarks.generator stylizer",),
            "after as many epochs the loss is lower",
            "`train_stylizer`, loss after two epochs, instance / batch normalisation",
            "0.689 / 0.749",
            True,
        ),
    ],
    "memorising": [
        Quoted(
            "Noise is learned to 100 % as well, whatever the regularisation",
            "The network manages to achieve 100% training accuracy even when there is nothing to "
            "learn",
            CIS680,
            ("python -m benchmarks.probes memorization",),
            "shuffled pixels, random pixels and Gaussian noise are learned to 99 % with each of "
            "weight decay, dropout and augmentation",
            "the same, seed 0: shuffled pixels, random pixels, Gaussian noise",
            "99.9 % or more without regularisation, with weight decay and dropout; with "
            "augmentation 63.5 %, 62.6 % and 48.9 %",
            False,
            "a crop of noise is other noise, which augmentation makes anew in each epoch",
        ),
    ],
}
